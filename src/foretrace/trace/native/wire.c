#include "wire.h"

#define MARKER "  # << START_OF_TRACE"

/* Whether a line ends with the start marker and any number of backslashes. */
static bool ends_with_marker(const char *line, size_t size)
{
    size_t marker = sizeof MARKER - 1;
    while (size > 0 && line[size - 1] == '\\') {
        size--;
    }
    return size >= marker && memcmp(line + size - marker, MARKER, marker) == 0;
}

void wire_put_context(Buffer *out, Text source, int entry)
{
    Buffer marked = {0};
    const char *at = source.size ? source.data : "", *end = at + source.size;
    int count = 1;
    for (const char *c = at; c < end; c++) {
        count += *c == '\n';
    }
    entry = entry < count ? entry : count;
    for (int number = 1; number <= count; number++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t size = (size_t)((stop != NULL ? stop : end) - at);
        put_bytes(&marked, at, size);
        if (number == entry) {
            PUT_LITERAL(&marked, MARKER);
        }
        else if (ends_with_marker(at, size)) {
            put_char(&marked, '\\');
        }
        if (number < count) {
            put_char(&marked, '\n');
        }
        at += size + 1;
    }
    PUT_LITERAL(out, "<|begin_of_text|><|trace_context_start|>");
    put_protected(out, marked.data != NULL ? marked.data : "", marked.size);
    PUT_LITERAL(out, "<|frame_sep|>");
    out->failed |= marked.failed;
    free(marked.data);
}

void wire_put_action(Buffer *out, Text source)
{
    static const char head[] = "<|action_sep|>";
    if (buffer_reserve(out, sizeof head + source.size)) {
        char *at = out->data + out->size;
        memcpy(at, head, sizeof head - 1);
        out->size += sizeof head - 1;
        if (memchr(source.data, '|', source.size) == NULL) { /* no special token in it */
            memcpy(at + sizeof head - 1, source.data, source.size);
            out->size += source.size;
        }
        else {
            put_protected(out, source.data, source.size);
        }
        put_char(out, '\n');
    }
}

void wire_put_value(Buffer *out, Text value)
{
    PUT_LITERAL(out, "<|arg_sep|>\"");
    put_json(out, value.data, value.size);
    put_char(out, '"');
}

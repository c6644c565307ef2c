#include "buffer.h"

bool buffer_grow(Buffer *buffer, size_t more)
{
    size_t wanted = buffer->size + more;
    size_t capacity = buffer->capacity ? buffer->capacity : 256;
    while (capacity < wanted) {
        capacity *= 2;
    }
    char *data = realloc(buffer->is_borrowed ? NULL : buffer->data, capacity);
    if (data == NULL) {
        buffer->failed = true;
        return false;
    }
    if (buffer->is_borrowed) {
        memcpy(data, buffer->data, buffer->size);
        buffer->is_borrowed = false;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

const char decimal_pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748"
                             "4950515253545556575859606162636465666768697071727374757677787980818283848586878889909192939495969798"
                             "99";

/* Length of the special token that starts at `text`, which is "<", any number of backslashes, "|name|>"; 0 if none does. */
static size_t token_length(const char *text, size_t size)
{
    static const char *const names[] = {"begin_of_text", "end_of_text",         "frame_sep", "action_sep", "return_sep",
                                        "call_sep",      "line_sep",            "exception_sep", "arg_sep",
                                        "trace_context_start"};
    size_t at = 1;
    while (at < size && text[at] == '\\') {
        at++;
    }
    if (at >= size || text[at++] != '|') {
        return 0;
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t length = strlen(names[i]);
        if (size - at >= length + 2 && memcmp(text + at, names[i], length) == 0 && memcmp(text + at + length, "|>", 2) == 0) {
            return at + length + 2;
        }
    }
    return 0;
}

/* Protects the special tokens in what was written from `start` on. Every one has a bar in it, which other text seldom has. */
static void protect_from(Buffer *buffer, size_t start)
{
    size_t at = start;
    if (buffer->size - start < sizeof "<|arg_sep|>" - 1 || memchr(buffer->data + start, '|', buffer->size - start) == NULL) {
        return;
    }
    while (at < buffer->size) {
        char *found = memchr(buffer->data + at, '<', buffer->size - at);
        if (found == NULL) {
            return;
        }
        at = (size_t)(found - buffer->data) + 1;
        if (token_length(found, buffer->size - at + 1) && buffer_reserve(buffer, 1)) {
            memmove(buffer->data + at + 1, buffer->data + at, buffer->size - at);
            buffer->data[at] = '\\';
            buffer->size++;
        }
    }
}

void put_protected(Buffer *buffer, const char *text, size_t size)
{
    size_t start = buffer->size;
    put_bytes(buffer, text, size);
    protect_from(buffer, start);
}

#ifdef __SSE2__
#include <emmintrin.h>

/* Copies bytes up to the first that is below 0x20, '"', '\\' or 0xED, in steps of 16; returns how many. */
static inline size_t copy_plain(char *out, const unsigned char *in, size_t size)
{
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\'), surrogate = _mm_set1_epi8((char)0xED);
    const __m128i last_control = _mm_set1_epi8(0x1F);
    size_t at = 0;
    for (; at + 16 <= size; at += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(in + at));
        __m128i found = _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, slash));
        found = _mm_or_si128(found, _mm_cmpeq_epi8(bytes, surrogate));
        found = _mm_or_si128(found, _mm_cmpeq_epi8(_mm_min_epu8(bytes, last_control), bytes));
        if (_mm_movemask_epi8(found)) {
            break;
        }
        _mm_storeu_si128((__m128i *)(void *)(out + at), bytes);
    }
    return at;
}
#else
/* Copies bytes up to the first that is below 0x20, '"', '\\' or 0xED, in steps of 8; returns how many. */
static inline size_t copy_plain(char *out, const unsigned char *in, size_t size)
{
    const uint64_t ones = 0x0101010101010101u, highs = ones << 7;
    size_t at = 0;
    for (; at + 8 <= size; at += 8) {
        uint64_t word;
        memcpy(&word, in + at, 8);
        uint64_t quote = word ^ ones * '"', slash = word ^ ones * '\\', surrogate = word ^ ones * 0xED;
        uint64_t found = ((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash) |
                         ((surrogate - ones) & ~surrogate);
        if (found & highs) {
            break;
        }
        memcpy(out + at, &word, 8);
    }
    return at;
}
#endif

void put_json(Buffer *buffer, const char *text, size_t size)
{
    static const char hex[] = "0123456789abcdef";
    if (!buffer_reserve(buffer, 6 * size + 8)) {
        return;
    }
    const unsigned char *in = (const unsigned char *)text, *end = in + size;
    char *out = buffer->data + buffer->size;
    while (in < end) {
        size_t plain = copy_plain(out, in, (size_t)(end - in));
        in += plain;
        out += plain;
        if (in == end) {
            break;
        }
        unsigned char c = *in++;
        if (c == '"' || c == '\\') {
            *out++ = '\\';
            *out++ = (char)c;
        }
        else if (c < 0x20) {
            const char *at = memchr("\b\f\n\r\t", c, 5);
            *out++ = '\\';
            if (at != NULL && c != 0) {
                *out++ = c == '\b' ? 'b' : c == '\f' ? 'f' : c == '\n' ? 'n' : c == '\r' ? 'r' : 't';
            }
            else {
                *out++ = 'u';
                *out++ = '0';
                *out++ = '0';
                *out++ = hex[c >> 4];
                *out++ = hex[c & 15];
            }
        }
        else if (c == 0xED && end - in >= 2 && in[0] >= 0xA0) {
            unsigned point = 0xD000u | (unsigned)(in[0] & 0x3F) << 6 | (in[1] & 0x3F);
            *out++ = '\\';
            *out++ = 'u';
            for (int shift = 12; shift >= 0; shift -= 4) {
                *out++ = hex[point >> shift & 15];
            }
            in += 2;
        }
        else {
            *out++ = (char)c;
        }
    }
    size_t start = buffer->size;
    buffer->size = (size_t)(out - buffer->data);
    protect_from(buffer, start);
}

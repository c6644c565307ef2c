/* The wire format: the text that a model reads. trace/wire.py in C, for the recorder and for reading back. */
#ifndef FORETRACE_WIRE_H
#define FORETRACE_WIRE_H

#include "buffer.h"

typedef enum { EVENT_CALL, EVENT_LINE, EVENT_RETURN, EVENT_EXCEPTION } Event;

/* A text that stands elsewhere. */
typedef struct {
    const char *data;
    size_t size;
} Text;

/* What a model is given before the first frame: the source, its entry line (from 1) marked. */
void wire_put_context(Buffer *out, Text source, int entry);

/* A frame is an event; for a call or a line the locals as JSON; the source line; else a value; and its end. */
static inline void wire_put_event(Buffer *out, Event event)
{
    if (event == EVENT_LINE) { /* most are; and a literal's size is known */
        PUT_LITERAL(out, "<|line_sep|>");
    }
    else if (event == EVENT_CALL) {
        PUT_LITERAL(out, "<|call_sep|>");
    }
    else if (event == EVENT_RETURN) {
        PUT_LITERAL(out, "<|return_sep|>");
    }
    else {
        PUT_LITERAL(out, "<|exception_sep|>");
    }
}

void wire_put_action(Buffer *out, Text source);
void wire_put_value(Buffer *out, Text value);

static inline void wire_end_frame(Buffer *out)
{
    PUT_LITERAL(out, "<|frame_sep|>");
}

#define WIRE_END "<|end_of_text|>"

#endif

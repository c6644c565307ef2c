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

/* A frame: `content` is the locals as JSON, or the value as plain text, by the event. */
void wire_put_frame(Buffer *out, Event event, Text source, Text content);

#define WIRE_END "<|end_of_text|>"

#endif

/* A growing buffer of bytes, and the numbers and texts that are written into it. */
#ifndef FORETRACE_BUFFER_H
#define FORETRACE_BUFFER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    char *data;
    size_t size, capacity;
    bool failed;      /* there was no memory: what was written since is lost */
    bool is_borrowed; /* `data` is part of other memory; to grow is to move elsewhere */
} Buffer;

bool buffer_grow(Buffer *buffer, size_t more);

/* Makes room for `more` bytes; false if there is no memory. */
static inline bool buffer_reserve(Buffer *buffer, size_t more)
{
    return __builtin_expect(buffer->size + more <= buffer->capacity, 1) || buffer_grow(buffer, more);
}

static inline void put_bytes(Buffer *buffer, const char *bytes, size_t size)
{
    if (size && buffer_reserve(buffer, size)) {
        memcpy(buffer->data + buffer->size, bytes, size);
        buffer->size += size;
    }
}

#define PUT_LITERAL(buffer, text) put_bytes(buffer, text, sizeof(text) - 1)

static inline void put_char(Buffer *buffer, char c)
{
    if (buffer_reserve(buffer, 1)) {
        buffer->data[buffer->size++] = c;
    }
}

/* An unsigned number as LEB128. */
static inline void put_int(Buffer *buffer, uint64_t value)
{
    if (!buffer_reserve(buffer, 10)) {
        return;
    }
    char *out = buffer->data + buffer->size;
    while (value >= 0x80) {
        *out++ = (char)(value | 0x80);
        value >>= 7;
    }
    *out++ = (char)value;
    buffer->size = (size_t)(out - buffer->data);
}

static inline void put_signed(Buffer *buffer, int64_t value)
{
    put_int(buffer, value >= 0 ? 2 * (uint64_t)value : 2 * (uint64_t)-(value + 1) + 1);
}

static inline void put_text(Buffer *buffer, const char *text, size_t size)
{
    put_int(buffer, size);
    put_bytes(buffer, text, size);
}

#define DECIMAL_SIZE 20
extern const char decimal_pairs[];

/* Writes a number in decimal so that it ends before `end`, and returns where it starts, DECIMAL_SIZE before that at most. */
static inline char *write_decimal(char *end, int64_t value)
{
    uint64_t rest = value < 0 ? (uint64_t)-(value + 1) + 1 : (uint64_t)value;
    while (rest >= 100) {
        end -= 2;
        memcpy(end, decimal_pairs + 2 * (rest % 100), 2);
        rest /= 100;
    }
    if (rest >= 10) {
        end -= 2;
        memcpy(end, decimal_pairs + 2 * rest, 2);
    }
    else {
        *--end = (char)('0' + rest);
    }
    if (value < 0) {
        *--end = '-';
    }
    return end;
}

/* A number in decimal. */
static inline void put_decimal(Buffer *buffer, int64_t value)
{
    char digits[DECIMAL_SIZE], *start = write_decimal(digits + DECIMAL_SIZE, value);
    put_bytes(buffer, start, (size_t)(digits + DECIMAL_SIZE - start));
}

/* Text within a JSON string, as json.dumps(ensure_ascii=False) escapes it; lone surrogates as \udXXX; and special tokens
   of the wire that occur in it protected by a backslash. */
void put_json(Buffer *buffer, const char *text, size_t size);

/* Text of the wire outside JSON: special tokens that occur in it are protected. */
void put_protected(Buffer *buffer, const char *text, size_t size);

/* Characters (code points) of UTF-8. */
static inline size_t count_characters(const char *text, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i < size; i++) {
        count += (text[i] & 0xC0) != 0x80;
    }
    return count;
}

#endif

/* Texts and numbers, as `repr` writes them but bounded. */
#include "render_parts.h"

/* A Python string, as UTF-8 with lone surrogates passed through; `count` code points of it at most. */
void put_unicode(Renderer *r, PyObject *text, Py_ssize_t count)
{
    Py_ssize_t length = PyUnicode_GET_LENGTH(text);
    if (PyUnicode_IS_ASCII(text)) {
        put_bytes(r->out, PyUnicode_DATA(text), (size_t)(length < count ? length : count));
        return;
    }
    PyObject *part = length > count ? PyUnicode_Substring(text, 0, count) : Py_NewRef(text);
    PyObject *bytes = part != NULL ? PyUnicode_AsEncodedString(part, "utf-8", "surrogatepass") : NULL;
    if (bytes != NULL) {
        put_bytes(r->out, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
        r->is_ascii = false;
    }
    else {
        r->is_broken = true;
    }
    Py_XDECREF(bytes);
    Py_XDECREF(part);
}

void put_ellipsis(Renderer *r)
{
    PUT_LITERAL(r->out, "…");
    r->is_ascii = false;
}

void put_rest(Renderer *r, Py_ssize_t left)
{
    put_ellipsis(r);
    put_char(r->out, '+');
    put_decimal(r->out, left);
}

void put_name(Renderer *r, PyObject *name)
{
    if (PyUnicode_IS_ASCII(name) && PyUnicode_GET_LENGTH(name) <= MAX_NAME) {
        put_bytes(r->out, PyUnicode_DATA(name), (size_t)PyUnicode_GET_LENGTH(name));
        return;
    }
    put_unicode(r, name, MAX_NAME);
    if (PyUnicode_GET_LENGTH(name) > MAX_NAME) {
        put_ellipsis(r);
    }
}

/* What `type.__name__` is. */
void put_type_name(Renderer *r, PyTypeObject *type)
{
    if (type->tp_flags & Py_TPFLAGS_HEAPTYPE) {
        put_name(r, ((PyHeapTypeObject *)type)->ht_name);
        return;
    }
    const char *dot = strrchr(type->tp_name, '.');
    const char *name = dot != NULL ? dot + 1 : type->tp_name;
    put_bytes(r->out, name, strlen(name));
}

/* What `repr` of an object of a type of the interpreter or its library writes. */
void put_repr(Renderer *r, PyObject *value)
{
    PyObject *text = Py_TYPE(value)->tp_repr(value);
    if (text != NULL) {
        put_unicode(r, text, PY_SSIZE_T_MAX);
        Py_DECREF(text);
    }
    else {
        r->is_broken = true;
    }
}

static void put_ascii_string(Renderer *r, const unsigned char *text, Py_ssize_t length)
{
    static const char hex[] = "0123456789abcdef";
    Buffer *out = r->out;
    if (!buffer_reserve(out, 4 * (size_t)length + 2)) {
        return;
    }
    char *start = out->data + out->size, *at = start;
    int special = 0;
    *at++ = '\'';
    for (Py_ssize_t i = 0; i < length; i++) {
        unsigned char c = text[i];
        special |= (c < 0x20) | (c == 0x7F) | (c == '\\') | (c == '\'');
        at[i] = (char)c;
    }
    if (!special) {
        at[length] = '\'';
        out->size += (size_t)length + 2;
        return;
    }
    char quote = memchr(text, '\'', (size_t)length) && !memchr(text, '"', (size_t)length) ? '"' : '\'';
    *start = quote;
    for (Py_ssize_t i = 0; i < length; i++) {
        unsigned char c = text[i];
        if (c == '\\' || c == quote) {
            *at++ = '\\';
            *at++ = (char)c;
        }
        else if (c == '\n' || c == '\t' || c == '\r') {
            *at++ = '\\';
            *at++ = c == '\n' ? 'n' : c == '\t' ? 't' : 'r';
        }
        else if (c < 0x20 || c == 0x7F) {
            *at++ = '\\';
            *at++ = 'x';
            *at++ = hex[c >> 4];
            *at++ = hex[c & 15];
        }
        else {
            *at++ = (char)c;
        }
    }
    *at++ = quote;
    out->size = (size_t)(at - out->data);
}

/* An exact string, or the content of an instance of a subclass. */
void put_string(Renderer *r, PyObject *value)
{
    Py_ssize_t length = PyUnicode_GET_LENGTH(value), shown = length < r->limits.characters ? length : (Py_ssize_t)r->limits.characters;
    if (PyUnicode_IS_ASCII(value)) {
        put_ascii_string(r, PyUnicode_DATA(value), shown);
    }
    else {
        PyObject *part = PyUnicode_Substring(value, 0, shown);
        PyObject *text = part != NULL ? PyUnicode_Type.tp_repr(part) : NULL;
        if (text != NULL) {
            put_unicode(r, text, PY_SSIZE_T_MAX);
        }
        r->is_broken |= text == NULL;
        Py_XDECREF(text);
        Py_XDECREF(part);
    }
    if (length > shown) {
        put_rest(r, length - shown);
    }
}

void put_byte_string(Renderer *r, PyObject *value, bool is_array)
{
    const char *data = is_array ? PyByteArray_AS_STRING(value) : PyBytes_AS_STRING(value);
    Py_ssize_t length = Py_SIZE(value), shown = length < r->limits.characters ? length : (Py_ssize_t)r->limits.characters;
    PyObject *part = is_array ? PyByteArray_FromStringAndSize(data, shown) : PyBytes_FromStringAndSize(data, shown);
    if (part != NULL) {
        put_repr(r, part);
        Py_DECREF(part);
    }
    r->is_broken |= part == NULL;
    if (length > shown) {
        put_rest(r, length - shown);
    }
}

void put_integer(Renderer *r, PyObject *value)
{
    long long small;
    if (int_is_compact(value, &small)) {
        put_decimal(r->out, small);
        return;
    }
    int overflow;
    small = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (!overflow) {
        put_decimal(r->out, small);
        return;
    }
    size_t bits = _PyLong_NumBits(value);
    if (bits >= MAX_INT_BITS) {
        PUT_LITERAL(r->out, "<int, ");
        put_decimal(r->out, (int64_t)bits);
        PUT_LITERAL(r->out, " bits>");
        return;
    }
    PyObject *text = PyLong_Type.tp_repr(value);
    if (text != NULL) {
        put_unicode(r, text, PY_SSIZE_T_MAX);
        Py_DECREF(text);
    }
    r->is_broken |= text == NULL;
}

/* The shortest text of a float takes long to find, and the same ones come again. */
static struct {
    double value;
    uint8_t size;
    char text[31];
} float_texts[256];

void put_float(Renderer *r, double value)
{
    if (value > -1e15 && value < 1e15 && value != 0 && value == (double)(int64_t)value) {
        put_decimal(r->out, (int64_t)value);
        PUT_LITERAL(r->out, ".0");
        return;
    }
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    int at = (int)(bits * 0x9E3779B97F4A7C15u >> 56);
    if (float_texts[at].size == 0 || memcmp(&float_texts[at].value, &value, sizeof value) != 0) {
        char *text = PyOS_double_to_string(value, 'r', 0, Py_DTSF_ADD_DOT_0, NULL);
        if (text == NULL) {
            r->is_broken = true;
            return;
        }
        float_texts[at].value = value;
        float_texts[at].size = (uint8_t)strlen(text); /* at most 24 */
        memcpy(float_texts[at].text, text, float_texts[at].size);
        PyMem_Free(text);
    }
    put_bytes(r->out, float_texts[at].text, float_texts[at].size);
}

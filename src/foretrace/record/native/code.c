/* Code objects, files and names: found out once, kept with them. */
#include "session.h"

static Py_ssize_t extra_index = -1;

static void map_free(CodeMap *map)
{
    if (map != NULL) {
        free(map->lines);
        free(map->failures);
        free(map);
    }
}

static void info_free(void *pointer)
{
    CodeInfo *info = pointer;
    if (info != NULL && info->is_whole) {
        Py_XDECREF(info->opcodes);
        map_free(info->map);
    }
    free(info);
}

int code_init(void)
{
    if (extra_index < 0) {
        extra_index = code_extra_index(info_free);
    }
    return extra_index < 0 ? -1 : 0;
}

/* UTF-8 with lone surrogates passed through; NULL with an exception if there is no memory. */
static char *utf8_copy(PyObject *text, uint32_t *size)
{
    PyObject *bytes = PyUnicode_AsEncodedString(text, "utf-8", "surrogatepass");
    char *copy = bytes != NULL ? malloc((size_t)PyBytes_GET_SIZE(bytes) + 1) : NULL;
    if (copy != NULL) {
        *size = (uint32_t)PyBytes_GET_SIZE(bytes);
        memcpy(copy, PyBytes_AS_STRING(bytes), *size);
    }
    else if (bytes != NULL) {
        PyErr_NoMemory();
    }
    Py_XDECREF(bytes);
    return copy;
}

/* Makes room for one more pointer. */
static bool grow_list(void *list, int count, int *capacity)
{
    if (count < *capacity) {
        return true;
    }
    int wanted = *capacity ? 2 * *capacity : 64;
    void **grown = realloc(*(void ***)list, (size_t)wanted * sizeof *grown);
    if (grown == NULL) {
        PyErr_NoMemory();
        return false;
    }
    *(void ***)list = grown;
    *capacity = wanted;
    return true;
}

/* Remembers in `dict` that `key` has the number `index`. */
static bool set_index(PyObject *dict, PyObject *key, int index)
{
    PyObject *number = PyLong_FromLong(index);
    bool done = number != NULL && PyDict_SetItem(dict, key, number) == 0;
    Py_XDECREF(number);
    return done;
}

static bool name_text(Name *name, PyObject *text)
{
    if (PyUnicode_IS_ASCII(text)) { /* the table of names keeps the string */
        name->text = PyUnicode_DATA(text);
        name->size = (uint32_t)PyUnicode_GET_LENGTH(text);
        return true;
    }
    name->text = name->owned = utf8_copy(text, &name->size);
    return name->text != NULL;
}

static bool name_key(Name *name)
{
    Buffer key = {0};
    buffer_reserve(&key, 6 * (size_t)name->size + SHORT_JSON);
    PUT_LITERAL(&key, ", \"");
    put_json(&key, name->text, name->size);
    PUT_LITERAL(&key, "\": \"");
    name->key_size = (uint32_t)key.size;
    PUT_LITERAL(&key, "..\"");
    name->json = key.data;
    name->json_size = (uint32_t)key.size;
    return !key.failed;
}

Name *intern_name(Session *session, PyObject *text)
{
    PyObject *known = PyDict_GetItemWithError(session->names, text);
    if (known != NULL) {
        return session->name_list[PyLong_AsLong(known)];
    }
    Name *name = PyErr_Occurred() ? NULL : calloc(1, sizeof *name);
    if (name == NULL || !name_text(name, text) ||
        !grow_list(&session->name_list, session->name_list_count, &session->name_list_capacity) ||
        !set_index(session->names, text, session->name_list_count) || (session->is_wire && !name_key(name))) {
        free(name != NULL ? name->owned : NULL);
        free(name);
        return NULL;
    }
    session->name_list[session->name_list_count++] = name;
    return name;
}

static bool ends_with_newline(PyObject *line)
{
    Py_ssize_t length = PyUnicode_Check(line) ? PyUnicode_GET_LENGTH(line) : 0;
    return length > 0 && PyUnicode_READ_CHAR(line, length - 1) == '\n';
}

static File *file_of(Session *session, PyObject *path)
{
    PyObject *known = PyDict_GetItemWithError(session->files, path);
    if (known != NULL) {
        return session->file_list[PyLong_AsLong(known)];
    }
    if (PyErr_Occurred()) {
        return NULL;
    }
    PyObject *source = PyObject_CallOneArg(session->lines_of, path);
    File *file = source != NULL ? calloc(1, sizeof *file) : NULL;
    if (file == NULL || !grow_list(&session->file_list, session->file_list_count, &session->file_list_capacity) ||
        !set_index(session->files, path, session->file_list_count)) {
        Py_XDECREF(source);
        free(file);
        return NULL;
    }
    file->path = Py_NewRef(path);
    if (PyList_Check(source)) {
        file->source = source;
        file->line_count = PyList_GET_SIZE(source);
        PyObject *last = file->line_count ? PyList_GET_ITEM(source, file->line_count - 1) : NULL;
        file->line_count += last != NULL && ends_with_newline(last);
    }
    else {
        Py_DECREF(source);
    }
    session->file_list[session->file_list_count++] = file;
    return file;
}

Line file_line(const File *file, int number)
{
    Line line = {.text = ""};
    PyObject *text = number > 0 && number <= PyList_GET_SIZE(file->source) ? PyList_GET_ITEM(file->source, number - 1) : NULL;
    if (text == NULL || !PyUnicode_Check(text)) {
        return line;
    }
    uint32_t newline = ends_with_newline(text);
    line.characters = (uint32_t)PyUnicode_GET_LENGTH(text) - newline;
    if (PyUnicode_IS_ASCII(text)) {
        line.text = PyUnicode_DATA(text);
        line.size = line.characters;
        return line;
    }
    Py_ssize_t size;
    const char *bytes = PyUnicode_AsUTF8AndSize(text, &size);
    if (bytes == NULL) { /* a lone surrogate, which no source that compiles has */
        PyErr_Clear();
        return line;
    }
    line.text = bytes;
    line.size = (uint32_t)size - newline;
    return line;
}

static size_t indent_of(Line line)
{
    size_t at = 0;
    while (at < line.size && (line.text[at] == ' ' || line.text[at] == '\t' || line.text[at] == '\f')) {
        at++;
    }
    return at;
}

/* Whether a definition starts at `text`: record/scope.py's `_DEFINITION`. */
static bool is_definition(const char *text, size_t size)
{
    const char *end = text + size;
    if (size > 6 && memcmp(text, "async", 5) == 0 && (text[5] == ' ' || text[5] == '\t')) {
        text += 5;
        while (text < end && (*text == ' ' || *text == '\t')) {
            text++;
        }
        return end - text > 3 && memcmp(text, "def", 3) == 0 && memchr(" \t(", text[3], 3) != NULL;
    }
    return (size > 3 && memcmp(text, "def", 3) == 0 && memchr(" \t(", text[3], 3) != NULL) ||
           (size > 5 && memcmp(text, "class", 5) == 0 && memchr(" \t(", text[5], 3) != NULL);
}

int file_def_line(const File *file, int number)
{
    Line first = file_line(file, number);
    size_t indent = indent_of(first);
    if (indent == first.size || first.text[indent] != '@') {
        return number;
    }
    for (int next = number + 1; next <= (int)file->line_count; next++) {
        Line line = file_line(file, next);
        if (line.size > indent && memcmp(line.text, first.text, indent) == 0 &&
            is_definition(line.text + indent, line.size - indent)) {
            return next;
        }
    }
    return number;
}

static bool find_names(Session *session, CodeInfo *info, PyCodeObject *code)
{
    info->name_count = code->co_nlocalsplus;
    info->is_repeated = false;
    for (int i = 0; i < info->name_count; i++) {
        PyObject *text = PyTuple_GET_ITEM(code->co_localsplusnames, i);
        Py_UCS4 first = PyUnicode_GET_LENGTH(text) ? PyUnicode_READ_CHAR(text, 0) : 0;
        info->names[i] = NULL;
        if (first == '.' || first == '@') { /* the compiler's own, or a rewriter's */
            continue;
        }
        info->names[i] = intern_name(session, text);
        if (info->names[i] == NULL) {
            return false;
        }
        for (int j = 0; j < i; j++) {
            info->is_repeated |= info->names[j] == info->names[i];
        }
    }
    return true;
}

/* What a code object in scope is. */
static bool find_out(Session *session, CodeInfo *info, PyCodeObject *code, File *file)
{
    info->first_line = code->co_firstlineno;
    info->is_optimized = (code->co_flags & CO_OPTIMIZED) != 0;
    info->raises_again = -1;
    info->is_generator = (code->co_flags & CO_GENERATOR) != 0;
    info->is_suspendable = (code->co_flags & (CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR)) != 0;
    info->function = intern_name(session, code->co_qualname);
    info->call_line = 0;
    for (int i = 0; i < LINE_CACHE; i++) {
        info->line_cache[i].offset = -1;
    }
    if (info->function == NULL || !find_names(session, info, code)) {
        return false;
    }
    info->file = file;
    info->call_line = file_def_line(file, info->first_line);
    return true;
}

/* Memory for what is to be known of a code object; little if it is not in scope. */
static CodeInfo *info_new(PyCodeObject *code, bool is_whole)
{
    size_t size = is_whole ? sizeof(CodeInfo) + (size_t)code->co_nlocalsplus * sizeof(Name *) : offsetof(CodeInfo, function);
    CodeInfo *info = calloc(1, size);
    if (info == NULL || code_set_extra(code, extra_index, info) < 0) { /* what was there before is freed */
        free(info);
        PyErr_NoMemory();
        return NULL;
    }
    info->is_whole = is_whole;
    return info;
}

CodeInfo *code_info(Session *session, PyCodeObject *code)
{
    CodeInfo *info = code_extra(code, extra_index);
    if (info != NULL && info->session == session->id) {
        return info;
    }
    File *file = file_of(session, code->co_filename);
    if (file == NULL) {
        return NULL;
    }
    bool is_in_scope = file->source != NULL;
    if (info == NULL || (is_in_scope && !info->is_whole)) {
        info = info_new(code, is_in_scope);
        if (info == NULL) {
            return NULL;
        }
    }
    info->session = session->id;
    info->file = NULL;
    if (is_in_scope && !find_out(session, info, code, file)) {
        info->session = 0;
        return NULL;
    }
    return info;
}

int code_line(CodeInfo *info, PyCodeObject *code, int offset)
{
    int at = offset / 2 & (LINE_CACHE - 1);
    if (info->line_cache[at].offset != offset) {
        int line = PyCode_Addr2Line(code, offset);
        info->line_cache[at].offset = offset;
        info->line_cache[at].line = line > 0 ? line : info->first_line;
    }
    return info->line_cache[at].line;
}

int code_opcode(CodeInfo *info, PyCodeObject *code, int offset)
{
    if (info->opcodes == NULL) {
        info->opcodes = PyCode_GetCode(code);
        if (info->opcodes == NULL) {
            PyErr_Clear();
            return 0;
        }
    }
    const char *codes = PyBytes_AS_STRING(info->opcodes);
    while (offset > 0 && offset < PyBytes_GET_SIZE(info->opcodes) && codes[offset] == CACHE) {
        offset -= (int)sizeof(_Py_CODEUNIT); /* a scope may be said to stand in the cache of its instruction */
    }
    return offset >= 0 && offset < PyBytes_GET_SIZE(info->opcodes) ? (unsigned char)codes[offset] : 0;
}

bool code_raises_again(CodeInfo *info, PyCodeObject *code)
{
    if (info->raises_again < 0) {
        info->raises_again = 0;
        for (int at = 0; at < (int)_PyCode_NBYTES(code); at += (int)sizeof(_Py_CODEUNIT)) {
            int opcode = code_opcode(info, code, at);
            info->raises_again |= opcode == RERAISE || opcode == RAISE_VARARGS;
        }
    }
    return info->raises_again;
}

/* Whether the instruction at `offset`, where a line starts, loads a variable. */
static bool line_loads_variable(CodeInfo *info, PyCodeObject *code, int offset)
{
#if HAS_MONITORING
    return code_opcode(info, code, offset) == LOAD_FAST; /* what stands there says only that a line starts */
#else
    (void)info;
    return raw_opcode(code, offset) == LOAD_FAST;
#endif
}

int code_returned_variable(CodeInfo *info, PyCodeObject *code, int offset)
{
    int second = offset + (int)sizeof(_Py_CODEUNIT);
    bool returns = second < (int)_PyCode_NBYTES(code) && returns_value(raw_opcode(code, second));
    return returns && line_loads_variable(info, code, offset) ? raw_argument(code, offset) : -1;
}

/* Fills in what `code.co_lines()` tells. */
static bool fill_lines(CodeMap *map, PyCodeObject *code)
{
    PyObject *iterator = PyObject_CallMethod((PyObject *)code, "co_lines", NULL), *range;
    while (iterator != NULL && (range = PyIter_Next(iterator)) != NULL) {
        int unit = (int)sizeof(_Py_CODEUNIT), end = (int)PyLong_AsLong(PyTuple_GET_ITEM(range, 1)) / unit;
        PyObject *line = PyTuple_GET_ITEM(range, 2);
        for (int i = (int)PyLong_AsLong(PyTuple_GET_ITEM(range, 0)) / unit; line != Py_None && i < end && i < map->units; i++) {
            map->lines[i] = (int)PyLong_AsLong(line);
        }
        Py_DECREF(range);
    }
    Py_XDECREF(iterator);
    return iterator != NULL && !PyErr_Occurred();
}

CodeMap *code_map(CodeInfo *info, PyCodeObject *code)
{
    if (info->map != NULL) {
        return info->map;
    }
    CodeMap *map = calloc(1, sizeof *map);
    code_opcode(info, code, 0);
    if (map != NULL && info->opcodes != NULL) {
        map->units = (int)(PyBytes_GET_SIZE(info->opcodes) / (Py_ssize_t)sizeof(_Py_CODEUNIT));
        map->lines = calloc((size_t)map->units, sizeof *map->lines);
        map->failures = calloc((size_t)map->units, sizeof *map->failures);
    }
    if (map == NULL || map->lines == NULL || map->failures == NULL || !fill_lines(map, code)) {
        PyErr_Clear();
        map_free(map);
        return NULL;
    }
    return info->map = map;
}

void code_clear(Session *session)
{
    for (int i = 0; i < session->name_list_count; i++) {
        free(session->name_list[i]->owned);
        free(session->name_list[i]->json);
        free(session->name_list[i]);
    }
    for (int i = 0; i < session->file_list_count; i++) {
        File *file = session->file_list[i];
        Py_XDECREF(file->path);
        Py_XDECREF(file->source);
        free(file);
    }
    free(session->name_list);
    free(session->file_list);
    session->name_list = NULL;
    session->file_list = NULL;
    session->name_list_count = session->file_list_count = 0;
    Py_CLEAR(session->names);
    Py_CLEAR(session->files);
}

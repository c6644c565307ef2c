/* The least that any tracer written in C costs: callbacks that do nothing. Compiled by tracers.py at run time. */

#include <Python.h>

static int
ignore(PyObject *self, PyFrameObject *frame, int what, PyObject *arg)
{
    return 0;
}

static PyObject *
start(PyObject *self, PyObject *unused)
{
    PyEval_SetTrace(ignore, NULL);
    Py_RETURN_NONE;
}

static PyObject *
stop(PyObject *self, PyObject *unused)
{
    PyEval_SetTrace(NULL, NULL);
    Py_RETURN_NONE;
}

static PyObject *
callback(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"start", start, METH_NOARGS, "Calls an empty function at each event of this thread."},
    {"stop", stop, METH_NOARGS, "Ends that."},
    {"callback", (PyCFunction)(void (*)(void))callback, METH_FASTCALL, "An empty callback for sys.monitoring."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "floor", NULL, -1, methods};

PyMODINIT_FUNC
PyInit_floor(void)
{
    return PyModule_Create(&module);
}

/* api_doc.h - everything a script can call, as documentation: the rows of the tables in C (api.h), and the functions of lua/lathe that have a
 * comment of three dashes above them:
 *
 *     --- What it does; any number of lines.
 *     ---@sig (mix: table): table
 *     ---@example
 *     ---print(lathe.data.mix { stories = 1 })
 *     function data.mix(mix)
 *
 * The manual page lathe(3lua), the editor's lua/lathe.d.lua and the tests of the examples are made of the same list. */
#ifndef SCRIPT_API_DOC_H
#define SCRIPT_API_DOC_H
#include "base/arena.h"
#include "base/buf.h"
#include "base/buf.h"
#include "base/err.h"

typedef struct ApiDoc {
	const char *owner;       /* "lathe", "lathe.data", "Tensor" */
	const char *name;        /* NULL: the owner itself, `text` is about it */
	const char *signature, *text, *example;   /* example may be NULL */
} ApiDoc;

/* In the order of the manual: the module, its tables, the types; within one by the order of the tables. NULL: e. */
const ApiDoc *api_docs(const char *lua_dir, Arena *a, size_t *n, Err *e);
/* Is it a table of the module (its functions are called with a dot) or a type (methods, with a colon)? */
bool api_doc_is_module(const char *owner);
/* lua/lathe.d.lua: annotations that the Lua language server reads. */
void api_doc_stubs(const ApiDoc *d, size_t n, Buf *out);
#endif

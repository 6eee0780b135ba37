/* lines.h - golden files of one JSON object per line, for the tests of src/text. */
#ifndef TESTS_TEXT_LINES_H
#define TESTS_TEXT_LINES_H
#include "base/json.h"
#include "text/tok.h"
/* Calls fn for each line of the file and returns how many there were; the test fails when it cannot be read.
 */
typedef void (*LineFn)(const json_t *line, void *ctx);
size_t lines_each(const char *path, LineFn fn, void *ctx);
/* The "ids" of a line. */
void lines_ids(const json_t *line, Ids *out);
/* Fails the test unless the bytes are those of the JSON string. */
void lines_same(const json_t *want, const Buf *got);
/* "tests/data/tokenizers/NAME/FILE" in the source tree. */
const char *lines_path(const char *name, const char *file);
#endif

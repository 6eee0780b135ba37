/* json.h - reading JSON from strangers with jansson (the only place that includes it), and writing JSON.
 *
 * Reading refuses duplicate keys, depth above 64, NUL in strings, trailing garbage, a BOM, non-finite
 * numbers and integers past int64, naming file and line. Typed getters never convert: a string is not a
 * number. */
#ifndef BASE_JSON_H
#define BASE_JSON_H
#include "base/buf.h"
#include "base/err.h"
#include <jansson.h>
#include <stdint.h>
/* Bounds on what one text may hold, so that a small file cannot become gigabytes of nodes: E_5003 above
 * them. */
enum { JSON_DEPTH = 64, JSON_NESTS = 1 << 20, JSON_VALUES = 4 << 20 };
/* An object or array, freed by the caller with json_decref; NULL with `code` (the caller's format error)
 * set. `where` names the text in messages: a path, or "x.safetensors: header". max is in bytes. */
json_t *json_parse(const char *s, size_t n, const char *where, int code, Err *e);
/* The same, but strings may hold \u0000: for texts that a user has tokenized. Take json_string_length,
 * never strlen. */
json_t *json_parse_nul(const char *s, size_t n, const char *where, int code, Err *e);
json_t *json_parse_file(const char *path, size_t max, int code, Err *e);

/* Writer: appends to b. Commas are placed by itself. Non-finite numbers become null; f32 prints 9 digits,
 * f64 17 - the shortest of %.15g/%.16g/%.17g that reads back the same. Strings are escaped; invalid UTF-8
 * becomes U+FFFD. */
typedef struct Jout { Buf *b; int depth; bool first[JSON_DEPTH + 1]; bool key; } Jout;
void jout_init(Jout *j, Buf *b);
void jout_obj(Jout *j); void jout_end_obj(Jout *j);
void jout_arr(Jout *j); void jout_end_arr(Jout *j);
void jout_key(Jout *j, const char *k);
void jout_str(Jout *j, const char *s); void jout_strn(Jout *j, const char *s, size_t n);
void jout_int(Jout *j, int64_t v); void jout_num(Jout *j, double v); void jout_f32(Jout *j, float v);
void jout_bool(Jout *j, bool v); void jout_null(Jout *j);
/* key + value in one call */
void jout_kstr(Jout *j, const char *k, const char *s); void jout_kint(Jout *j, const char *k, int64_t v);
void jout_knum(Jout *j, const char *k, double v); void jout_kbool(Jout *j, const char *k, bool v);
#endif

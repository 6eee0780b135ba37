/* glob.h - probe-name patterns: '*' is one or more characters within a dotted part, '**' any rest, '{a,b}'
 * choices. "layers.*.moe.load" */
#ifndef BASE_GLOB_H
#define BASE_GLOB_H
#include <stdbool.h>
bool glob_match(const char *pattern, const char *name);
bool glob_valid(const char *pattern);
#endif

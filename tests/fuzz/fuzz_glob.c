/* fuzz_glob.c - a pattern, a line feed, a name: any pattern that has no special characters matches itself
 * only. */
#include "fuzz.h"
#include "base/glob.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *pattern = malloc(size + 1);
	FUZZ_CHECK(pattern != NULL);
	if (size > 4096)
		size = 4096;
	memcpy(pattern, data, size);
	pattern[size] = '\0';
	char *name = strchr(pattern, '\n');
	if (name)
		*name++ = '\0';
	else
		name = pattern + strlen(pattern);
	bool valid = glob_valid(pattern), match = glob_match(pattern, name);
	FUZZ_CHECK(valid || !match);
	if (valid && !strpbrk(pattern, "*{}"))
		FUZZ_CHECK(match == (strcmp(pattern, name) == 0));
	if (valid && strcmp(pattern, "**") == 0)
		FUZZ_CHECK(match);
	free(pattern);
	return 0;
}

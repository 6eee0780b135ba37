/* unit_main.c - runs the registered tests. */
#include "tests/unit.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct CMUnitTest all[1024];
static size_t n_all;

void unit_register(const char *name, void (*fn)(void **))
{
	if (n_all < sizeof all / sizeof all[0])
		all[n_all++] = (struct CMUnitTest){ .name = name, .test_func = fn };
}

const char *unit_src(const char *rel)
{
	static char ring[4][4096];
	static int at;
	const char *dir = getenv("srcdir");
	at = (at + 1) & 3;
	snprintf(ring[at], sizeof ring[at], "%s/%s", dir ? dir : ".", rel);
	return ring[at];
}

static char tmp[64];
static void tmp_remove(void)
{
	char cmd[128];
	snprintf(cmd, sizeof cmd, "rm -rf '%s'", tmp);
	if (system(cmd) != 0)
		fprintf(stderr, "could not remove %s\n", tmp);
}

const char *unit_tmp(void)
{
	if (!tmp[0]) {
		strcpy(tmp, "/tmp/lathe-unit-XXXXXX");
		if (!mkdtemp(tmp))
			abort();
		atexit(tmp_remove);
	}
	return tmp;
}

void unit_close(double a, double b, double atol, double rtol, const char *what, const char *file, int line)
{
	if (fabs(a - b) <= atol + rtol * fabs(b))
		return;
	print_error("%s: %.9g against %.9g, off by %.3g\n", what, a, b, fabs(a - b));
	_fail(file, line);
}

int main(int argc, char **argv)
{
	setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 0);
	size_t n = n_all;
	if (argc > 1) {
		n = 0;
		for (size_t i = 0; i < n_all; i++)
			for (int k = 1; k < argc; k++)
				if (strstr(all[i].name, argv[k])) {
					all[n++] = all[i];
					break;
				}
	}
	return _cmocka_run_group_tests(argv[0], all, n, NULL, NULL);
}

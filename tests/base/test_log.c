/* test_log.c - the ring, the file, and that a line in it is one line. */
#include "base/buf.h"
#include "base/log.h"
#include "tests/unit.h"
#include <stdio.h>
#include <string.h>

TEST(log_keeps_the_newest)
{
	Log *l = log_new(LOG_INFO, NULL);
	assert_non_null(l);
	assert_null(log_line(l, 0));
	for (int i = 0; i < 300; i++)
		log_say(l, LOG_INFO, "engine", "line %d", i);
	log_say(l, LOG_DEBUG, "engine", "not at this level");
	assert_non_null(strstr(log_line(l, 0), " info  engine: line 299"));
	assert_non_null(strstr(log_line(l, 255), "line 44"));
	assert_null(log_line(l, 256));
	assert_null(log_line(l, -1));
	log_free(l);
	log_say(NULL, LOG_ERROR, "x", "nobody listens");
	assert_null(log_line(NULL, 0));
	log_free(NULL);
}

TEST(log_file_has_one_line_each)
{
	char path[256], big[3000];
	Buf b = BUF_INIT;
	snprintf(path, sizeof path, "%s/lathe.log", unit_tmp());
	memset(big, 'x', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	for (int i = 0; i < 2; i++) { /* the second one appends */
		Log *l = log_new(LOG_TRACE, path);
		assert_non_null(l);
		log_say(l, LOG_ERROR, "st", "bad\nname \x1b[2J");
		log_say(l, LOG_TRACE, "st", "%s", big);
		log_free(l);
	}
	assert_true(buf_read_file(&b, path, 1 << 20, NULL));
	int lines = 0;
	for (size_t i = 0; i < b.len; i++) {
		lines += b.s[i] == '\n';
		assert_true((unsigned char)b.s[i] >= 0x20 || b.s[i] == '\n');
	}
	assert_int_equal(lines, 4);
	assert_non_null(strstr(b.s, "Z error st: bad<0a>name <1b>[2J\n"));
	assert_int_equal(b.s[10], 'T');
	buf_done(&b);
	assert_null(log_new(LOG_INFO, "/nowhere/at/all"));
}

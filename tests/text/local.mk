if HAVE_CMOCKA
check_PROGRAMS += tests/run_text
TESTS += tests/run_text
endif
tests_run_text_SOURCES = $(unit_main) tests/text/lines.c tests/text/lines.h tests/text/test_bpe.c tests/text/test_chat.c \
	tests/text/test_hostile.c tests/text/test_split.c tests/text/test_tok.c
tests_run_text_CPPFLAGS = $(unit_cppflags)
tests_run_text_LDADD = $(unit_ldadd) $(JANSSON_LIBS)
EXTRA_DIST += tests/data/tokenizers

if HAVE_CMOCKA
check_PROGRAMS += tests/run_base
TESTS += tests/run_base
endif
tests_run_base_SOURCES = $(unit_main) tests/base/test_arena.c tests/base/test_buf.c tests/base/test_err.c tests/base/test_folder.c \
	tests/base/test_glob.c tests/base/test_hash.c tests/base/test_json.c \
	tests/base/test_rng.c tests/base/test_utf8.c
tests_run_base_CPPFLAGS = $(unit_cppflags)
tests_run_base_LDADD = $(unit_ldadd) $(JANSSON_LIBS)
dist_check_SCRIPTS += tests/base/check_house.sh
TESTS += tests/base/check_house.sh

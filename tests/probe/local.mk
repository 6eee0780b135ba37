check_PROGRAMS += tests/run_probe
TESTS += tests/run_probe
tests_run_probe_SOURCES = $(unit_main) tests/probe/test_frame.c tests/probe/test_store.c tests/probe/test_record.c
tests_run_probe_CPPFLAGS = $(unit_cppflags)
tests_run_probe_LDADD = $(unit_ldadd)

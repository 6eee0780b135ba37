check_PROGRAMS += tests/run_engine
TESTS += tests/run_engine
tests_run_engine_SOURCES = $(unit_main) tests/engine/test_golden.c tests/engine/test_session.c tests/engine/test_look.c tests/engine/test_trace.c tests/engine/test_sample.c tests/engine/test_fp8.c tests/engine/test_change.c
tests_run_engine_CPPFLAGS = $(unit_cppflags)
tests_run_engine_LDADD = $(unit_ldadd)
# The engine process over a fake model: fake_lathe.c stands in for the library's own lathe_* functions.
check_PROGRAMS += tests/run_serve tests/fake_engine
TESTS += tests/run_serve
tests_run_serve_SOURCES = $(unit_main) tests/engine/test_serve.c tests/engine/fake_lathe.h
tests_run_serve_CPPFLAGS = $(unit_cppflags)
tests_run_serve_LDADD = $(unit_ldadd)
tests_fake_engine_SOURCES = tests/engine/fake_engine.c tests/engine/fake_lathe.c tests/engine/fake_lathe.h
tests_fake_engine_CPPFLAGS = $(unit_cppflags)
tests_fake_engine_LDADD = liblathe.la
EXTRA_DIST += tests/data/fp8

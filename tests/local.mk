# Unit tests: one program per folder, made of TEST(name) { ... } blocks (tests/unit.h) that print TAP. Scripts print TAP too.
LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
SH_LOG_DRIVER = $(LOG_DRIVER)
TEST_EXTENSIONS = .sh
AM_TESTS_ENVIRONMENT = LC_ALL=C.UTF-8; export LC_ALL; srcdir='$(srcdir)'; export srcdir; builddir='$(builddir)'; export builddir; \
	LATHE='$(abs_builddir)/lathe'; export LATHE;
unit_cppflags = $(AM_CPPFLAGS) -I$(top_srcdir) $(CMOCKA_CFLAGS)
unit_ldadd = libview.la liblathe.la $(CMOCKA_LIBS)
unit_main = tests/unit_main.c tests/unit.h
include tests/base/local.mk
include tests/num/local.mk
include tests/tensor/local.mk
include tests/probe/local.mk
include tests/ops/local.mk
include tests/model/local.mk
include tests/text/local.mk
include tests/train/local.mk
include tests/rl/local.mk
include tests/engine/local.mk
include tests/script/local.mk
include tests/view/local.mk
include tests/tui/local.mk
include tests/cli/local.mk
include tests/fuzz/local.mk
include tests/bench/local.mk

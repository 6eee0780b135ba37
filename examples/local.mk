# Compiled by `make check`: a program of somebody else's that includes only lathe.h.
check_PROGRAMS += examples/lathe-next
examples_lathe_next_SOURCES = examples/next.c
examples_lathe_next_CPPFLAGS = -I$(top_srcdir)/src/engine
examples_lathe_next_LDADD = liblathe.la

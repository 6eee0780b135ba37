liblathe_la_SOURCES += src/base/arena.c src/base/arena.h src/base/buf.c src/base/buf.h src/base/clock.c src/base/clock.h \
	src/base/err.c src/base/err.h src/base/err_codes.h src/base/folder.c src/base/folder.h src/base/glob.c src/base/glob.h src/base/hash.c src/base/hash.h \
	src/base/jout.c src/base/json.c src/base/json.h src/base/rng.c src/base/rng.h \
	src/base/utf8.c src/base/utf8.h

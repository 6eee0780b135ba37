liblathe_la_SOURCES += src/probe/sample.c src/probe/sample.h src/probe/store.c src/probe/store.h src/probe/record.c src/probe/record.h

liblathe_la_SOURCES += src/tape/tape.c src/tape/tape.h src/tape/state.h src/tape/name.c src/tape/backward.c src/tape/recipe.c

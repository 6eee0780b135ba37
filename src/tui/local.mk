libview_la_SOURCES += src/tui/caps.c src/tui/caps.h src/tui/paint.c src/tui/paint.h src/tui/keys.c src/tui/keys.h \
	src/tui/guard.c src/tui/guard.h src/tui/term.c src/tui/term.h \
	src/tui/order.c src/tui/order.h src/tui/loop.c src/tui/loop.h

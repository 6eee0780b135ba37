liblathe_la_SOURCES += src/text/tok.h src/text/tok_parts.h src/text/tok.c src/text/tok_read.c src/text/tok_write.c src/text/tok_files.c src/text/vocab.h \
	src/text/vocab.c src/text/added.h src/text/added.c src/text/bpe.h src/text/bpe.c src/text/split.h src/text/split.c \
	src/text/split_v2.c src/text/split_v3.c src/text/class.h src/text/class.c src/text/pattern.h src/text/pattern.c \
	src/text/pull.h src/text/pull.c src/text/chat.h src/text/chat_parts.h src/text/chat.c src/text/chat_v32.c

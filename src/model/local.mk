liblathe_la_SOURCES += \
	src/model/config.h src/model/config.c src/model/config_tensors.c src/model/config_known.c src/model/config_fields.h src/model/config_write.c \
	src/model/rope_table.h src/model/rope_table.c \
	src/model/kv.h src/model/kv.c \
	src/model/lm.h src/model/lm.c src/model/lm_build.h src/model/lm_build.c src/model/lm_load.c src/model/lm_random.c \
	src/model/block.c src/model/attn.h src/model/mla.c src/model/attn_own.c src/model/moe.c

liblathe_la_SOURCES += src/tensor/tensor.c src/tensor/tensor.h src/tensor/scan.c src/tensor/scan.h \
	src/tensor/st.h src/tensor/st_header.c src/tensor/st_header.h src/tensor/st_read.c src/tensor/st_write.c \
	src/tensor/ckpt.c src/tensor/ckpt.h src/tensor/ckpt_dir.c src/tensor/ckpt_dir.h

libstir_la_SOURCES +=

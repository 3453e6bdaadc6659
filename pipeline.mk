.DEFAULT_GOAL := help
include stages/build.mk
help:
	@echo "to be written"

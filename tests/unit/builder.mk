# unit tests: builder

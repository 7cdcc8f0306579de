module imageflow.dev/test/bench

go 1.26.8

replace imageflow.dev => ../..

require (
	github.com/cshum/imagor v1.4.17
	github.com/h2non/bimg v1.1.9
	golang.org/x/sys v0.49.0
	imageflow.dev v0.0.0
)

require (
	go.uber.org/multierr v1.11.0 // indirect
	go.uber.org/zap v1.28.0 // indirect
	golang.org/x/image v0.47.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
)

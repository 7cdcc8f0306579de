module imageflow.dev/func

go 1.25.0

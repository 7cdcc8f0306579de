package inference_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"imageflow.dev/internal/inference"
)

// Opens a folder of models and runs one of them in the process.
func ExampleOpen() {
	ctx := context.Background()
	models, err := inference.Open(ctx, "../../functions/detect/model/repository", inference.Options{
		Library: os.Getenv("ONNXRUNTIME_LIB"), Threads: 1,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer models.Close()
	model, err := models.Model(ctx, "yolo", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	input := inference.Tensor{Shape: []int64{1, 3, 384, 384}, Data: make([]float32, 3*384*384)}
	err = model.Infer(ctx, []inference.Tensor{input}, func(outputs []inference.Tensor) error {
		fmt.Println(model.Info().OutputNames[0], outputs[0].Shape)
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: output0 [1 10 3024]
}

// Lists the models of a Triton server. The server may start later than its client.
func ExampleDial() {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	models, err := inference.Dial("127.0.0.1:1", time.Second)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer models.Close()
	list, err := models.List(ctx)
	switch {
	case errors.Is(err, inference.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		fmt.Println("try again later")
	case err != nil:
		fmt.Println(err)
	}
	for _, l := range list {
		fmt.Println(l.Name, l.Versions, l.Reason)
	}
	// Output: try again later
}

// Command grpcretry makes 20 calls of resize at the same time, with grpc-go and the service config of the gateway: calls
// beyond the queue are repeated until they are done. It prints a row of make clients-test.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

func main() {
	outcome := "ok"
	if err := resize(20); err != nil {
		outcome = err.Error()
	}
	fmt.Printf("grpc-go\t20 calls at the same time, with /service-config.json\t%s\n", outcome)
}

// resize makes calls at the same time. It returns an error that counts the failures by their status.
func resize(callers int) error {
	config, err := os.ReadFile(os.Getenv("SERVICE_CONFIG"))
	if err != nil {
		return err
	}
	image, err := os.ReadFile(os.Getenv("IMAGE"))
	if err != nil {
		return err
	}
	conn, err := grpc.NewClient(strings.TrimPrefix(os.Getenv("RESIZE_URL"), "http://"),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultServiceConfig(string(config)))
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	client := imageflowv1.NewResizeServiceClient(conn)
	errs := make([]error, callers)
	var calls sync.WaitGroup
	for i := range callers {
		calls.Go(func() {
			_, errs[i] = client.ResizeImage(ctx, &imageflowv1.ResizeRequest{InputBytes: image, TargetWidth: int32(300 + i)})
		})
	}
	calls.Wait()
	failed := map[string]int{}
	for _, err := range errs {
		if err != nil {
			failed[status.Code(err).String()+": "+status.Convert(err).Message()]++
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("failed: %v", failed)
	}
	return nil
}

// Command client is an example of a gRPC client in Go. It resizes images to a width of 320 pixels, first the first one by a
// call, then all by a stream:
//
//	go run ./examples/client -gateway http://127.0.0.1:8080 -resize 127.0.0.1:8081 cat.jpg dog.jpg
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

const (
	width = 320
	// maxImageBytes bounds one image. By default, gRPC receives 4 MiB, and repeats calls of 256 KiB.
	maxImageBytes = 64 << 20
)

func main() {
	gateway := flag.String("gateway", "http://127.0.0.1:8080", "the URL of the gateway")
	address := flag.String("resize", "127.0.0.1:8081", "host and port of the resize service")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx, *gateway, *address, flag.Args()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, gateway, address string, files []string) error {
	if len(files) == 0 {
		return errors.New("no image is given")
	}
	config, err := serviceConfig(ctx, gateway)
	if err != nil {
		return err
	}
	conn, err := grpc.NewClient(address,
		grpc.WithTransportCredentials(insecure.NewCredentials()), // inside a cluster; outside, use TLS
		grpc.WithDefaultServiceConfig(config),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxImageBytes), grpc.MaxRetryRPCBufferSize(maxImageBytes)),
	)
	if err != nil {
		return err
	}
	defer conn.Close()
	client := imageflowv1.NewResizeServiceClient(conn)
	if err := resize(ctx, client, files[0]); err != nil {
		return err
	}
	return stream(ctx, client, files)
}

// serviceConfig returns the service config that the gateway publishes: with it, gRPC repeats calls that a busy server
// rejected.
func serviceConfig(ctx context.Context, gateway string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, gateway+"/service-config.json", nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", r.URL, resp.Status)
	}
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

// resize resizes one image.
func resize(ctx context.Context, client imageflowv1.ResizeServiceClient, file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	response, err := client.ResizeImage(ctx, &imageflowv1.ResizeRequest{InputBytes: data, TargetWidth: width})
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	report("call", file, response.GetResult())
	return nil
}

// stream resizes images over one stream. Responses arrive in the order of the requests. The server holds back requests while
// it is busy, so one goroutine sends while another receives.
func stream(ctx context.Context, client imageflowv1.ResizeServiceClient, files []string) error {
	ctx, cancel := context.WithCancel(ctx) // ends the stream
	defer cancel()
	calls, err := client.ResizeImageStream(ctx)
	if err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() {
		err := send(calls, files)
		if err != nil {
			cancel()
		}
		sent <- err
	}()
	for _, file := range files {
		response, err := calls.Recv()
		if err != nil {
			cancel()
			return errors.Join(fmt.Errorf("%s: %w", file, err), <-sent)
		}
		report("stream", file, response.GetResult())
	}
	return <-sent
}

func send(calls grpc.BidiStreamingClient[imageflowv1.ResizeRequest, imageflowv1.ResizeResponse], files []string) error {
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := calls.Send(&imageflowv1.ResizeRequest{InputBytes: data, TargetWidth: width}); err != nil {
			return err
		}
	}
	return calls.CloseSend()
}

// report prints what became of an image. An item of a stream that fails has a status and does not end the stream.
func report(how, file string, result *imageflowv1.ProcessingResult) {
	if result.GetStatus() == imageflowv1.ProcessingStatus_PROCESSING_STATUS_FAILED {
		fmt.Printf("%s %s: %s\n", how, filepath.Base(file), result.GetMessage())
		return
	}
	output := result.GetOutputImage()
	fmt.Printf("%s %s: %s, %d x %d pixels, %d bytes\n",
		how, filepath.Base(file), output.GetContentType(), output.GetWidth(), output.GetHeight(), len(result.GetOutputData()))
}

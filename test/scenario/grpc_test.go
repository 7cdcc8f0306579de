package scenario

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bufbuild/protocompile"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// contract returns the schema of the original contract, which callers have, with the later fields
// that a test needs.
func contract(t testing.TB, more ...string) protoreflect.FileDescriptor {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "contract", "imageflow.proto"))
	if err != nil {
		t.Fatal(err)
	}
	compiler := protocompile.Compiler{Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{
		Accessor: protocompile.SourceAccessorFromMap(map[string]string{"imageflow.proto": string(text) + strings.Join(more, "")}),
	})}
	files, err := compiler.Compile(context.Background(), "imageflow.proto")
	if err != nil {
		t.Fatal(err)
	}
	return files[0]
}

// caller calls one service by the contract, in JSON.
type caller struct {
	conn    *grpc.ClientConn
	service protoreflect.ServiceDescriptor
}

func (s *system) caller(t testing.TB, file protoreflect.FileDescriptor, part, service string) *caller {
	t.Helper()
	return &caller{dial(t, s.addresses[part]), file.Services().ByName(protoreflect.Name(service))}
}

func dial(t testing.TB, address string, options ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(address, append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func (c *caller) method(name string) (path string, m protoreflect.MethodDescriptor) {
	m = c.service.Methods().ByName(protoreflect.Name(name))
	return fmt.Sprintf("/%s/%s", c.service.FullName(), name), m
}

func message(t testing.TB, d protoreflect.MessageDescriptor, json string) *dynamicpb.Message {
	t.Helper()
	m := dynamicpb.NewMessage(d)
	if err := protojson.Unmarshal([]byte(json), m); err != nil {
		t.Fatal(err)
	}
	return m
}

func (c *caller) unary(t testing.TB, name, request string) (*dynamicpb.Message, error) {
	t.Helper()
	path, m := c.method(name)
	response := dynamicpb.NewMessage(m.Output())
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err := c.conn.Invoke(ctx, path, message(t, m.Input(), request), response)
	return response, err
}

// stream sends all requests and returns all responses.
func (c *caller) stream(t testing.TB, name string, requests []string) []*dynamicpb.Message {
	t.Helper()
	path, m := c.method(name)
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	s, err := c.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, path)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range requests {
		if err := s.SendMsg(message(t, m.Input(), r)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.CloseSend(); err != nil {
		t.Fatal(err)
	}
	var responses []*dynamicpb.Message
	for {
		response := dynamicpb.NewMessage(m.Output())
		if err := s.RecvMsg(response); errors.Is(err, io.EOF) {
			return responses
		} else if err != nil {
			t.Fatal(err)
		}
		responses = append(responses, response)
	}
}

// field reads a field by its path.
func field(m protoreflect.Message, path ...protoreflect.Name) protoreflect.Value {
	v := m.Get(m.Descriptor().Fields().ByName(path[0]))
	if len(path) > 1 {
		return field(v.Message(), path[1:]...)
	}
	return v
}

// services lists the services of the nine calls. fields follow input_image and execution_id in a
// request.
var services = []struct{ part, service, unary, suffix, fields string }{
	{"resize", "ResizeService", "ResizeImage", "resize", `"target_width":100,"quality":"RESIZE_QUALITY_FAST"`},
	{
		"detect", "AIDetectionService", "DetectObjects", "ai-detection",
		`"model_name":"yolo","confidence_threshold":0.5,"draw_boxes":true`,
	},
	{"filter", "FilterService", "ApplyFilter", "filter", `"filter_type":"FILTER_TYPE_CONTRAST","intensity":0.3`},
}

// The numbers of ProcessingStatus.
const completed, failed = 3, 4

// checkStream checks the responses to ten items, of which the seventh fails.
func checkStream(t *testing.T, responses []*dynamicpb.Message, suffix string) {
	t.Helper()
	if len(responses) != 10 {
		t.Fatalf("%d responses", len(responses))
	}
	for i, r := range responses {
		want := protoreflect.EnumNumber(completed)
		if i == 6 {
			want = failed
		}
		if got := field(r, "result", "status").Enum(); got != want {
			t.Errorf("item %d: status %d, want %d", i, got, want)
		}
		if i == 6 {
			if field(r, "result", "message").String() == "" {
				t.Error("the failed item has no message")
			}
			continue
		}
		key := field(r, "result", "output_image", "object_key").String()
		if key != fmt.Sprintf("many-%d_%s.jpg", i, suffix) {
			t.Errorf("item %d is %q: out of order", i, key)
		}
	}
}

// checkHealth checks both health methods of a service.
func (c *caller) checkHealth(t *testing.T, service string) {
	t.Helper()
	response, err := c.unary(t, "Health", `{}`)
	if err != nil {
		t.Fatal(err)
	}
	if got := field(response, "status").Enum(); got != 1 {
		t.Errorf("status %d, want SERVING", got)
	}
	standard, err := healthpb.NewHealthClient(c.conn).
		Check(t.Context(), &healthpb.HealthCheckRequest{Service: "imageflow.v1." + service})
	if err != nil || standard.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("grpc.health.v1: %v, %v", standard, err)
	}
	if _, err := c.unary(t, "Health", `{"service":"no.such.Service"}`); status.Code(err) != codes.NotFound {
		t.Errorf("an unknown service: %v", err)
	}
}

func TestNineCallsByTheContract(t *testing.T) {
	s := local(t, setup{})
	file := contract(t)
	s.place(t, "in.jpg", jpegOf(t, 400, 300))
	s.place(t, "bad.jpg", []byte("not an image"))
	for _, c := range services {
		call := s.caller(t, file, c.part, c.service)
		request := func(key, execution string) string {
			return fmt.Sprintf(`{"input_image":{"bucket":%q,"object_key":%q},"execution_id":%q,%s}`, bucket, key, execution, c.fields)
		}
		t.Run(c.unary, func(t *testing.T) {
			response, err := call.unary(t, c.unary, request("in.jpg", "one"))
			if err != nil {
				t.Fatal(err)
			}
			if got := field(response, "result", "status").Enum(); got != completed {
				t.Errorf("status %d", got)
			}
			if key := field(response, "result", "output_image", "object_key").String(); key != "one_"+c.suffix+".jpg" || !s.exists(key) {
				t.Errorf("output %q", key)
			}
		})
		t.Run(c.unary+"Stream", func(t *testing.T) {
			var requests []string
			for i := range 10 {
				key := "in.jpg"
				if i == 6 {
					key = "bad.jpg"
				}
				requests = append(requests, request(key, fmt.Sprintf("many-%d", i)))
			}
			checkStream(t, call.stream(t, c.unary+"Stream", requests), c.suffix)
		})
		t.Run(c.service+"/Health", func(t *testing.T) {
			call.checkHealth(t, c.service)
		})
	}
}

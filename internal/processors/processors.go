// Package processors lists the processors, with what other parts of ImageFlow need to
// know of them: their names, endpoints and JSON handlers. It has no cgo, so the
// gateway can use it. The constructors are in cmd/internal/role.
package processors

import (
	"context"
	"slices"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// JSONHandler registers the JSON handlers of one gRPC service, which call conn.
type JSONHandler func(ctx context.Context, mux *runtime.ServeMux, conn *grpc.ClientConn) error

// Info describes one processor.
type Info struct {
	// Name is the name of the role, of the step, and of the field in PipelineStep.
	Name string
	// Summary completes "NAME ..." in the help of the command.
	Summary string
	// Suffix ends the names of outputs: "<execution id>_<suffix>.<ext>".
	Suffix string
	// HasSideCar reports whether each output has a JSON file beside it.
	HasSideCar bool
	// Service is the full name of the gRPC service. It has one unary method from the
	// processor's request to its response, at POST /v1/<name> in JSON; one method
	// between streams of them; and the method Health.
	Service string
	// Host is the name of the Knative Service.
	Host string
	// EndpointVariable is the environment variable with the host:port of Host.
	EndpointVariable string
	// LocalPort is the default port in local mode.
	LocalPort int
	// JSON has a handler for each gRPC service that the processor serves.
	JSON []JSONHandler
}

// Resize makes images smaller or larger.
var Resize = Info{
	Name: "resize", Summary: "makes images smaller", Suffix: "resize", HasSideCar: true,
	Service: imageflowv1.ResizeService_ServiceDesc.ServiceName,
	Host:    "resize-grpc-service", EndpointVariable: "RESIZE_GRPC_ENDPOINT", LocalPort: 8081,
	JSON: []JSONHandler{imageflowv1.RegisterResizeServiceHandler, imageflowv1.RegisterImageServiceHandler},
}

// Detect finds objects in images.
var Detect = Info{
	Name: "detect", Summary: "finds objects in images", Suffix: "ai-detection", HasSideCar: true,
	Service: imageflowv1.AIDetectionService_ServiceDesc.ServiceName,
	Host:    "ai-detection-grpc-service", EndpointVariable: "AI_DETECTION_GRPC_ENDPOINT", LocalPort: 8082,
	JSON: []JSONHandler{imageflowv1.RegisterAIDetectionServiceHandler, imageflowv1.RegisterModelServiceHandler},
}

// Filter changes the look of images.
var Filter = Info{
	Name: "filter", Summary: "changes the look of images", Suffix: "filter",
	Service: imageflowv1.FilterService_ServiceDesc.ServiceName,
	Host:    "filter-grpc-service", EndpointVariable: "FILTER_GRPC_ENDPOINT", LocalPort: 8083,
	JSON: []JSONHandler{imageflowv1.RegisterFilterServiceHandler},
}

// All lists every processor, in the order of the help and of local mode.
var All = []Info{Resize, Detect, Filter}

// DefaultEndpoint returns the host:port of the Knative Service in a DNS domain, such as
// image-processing.svc.cluster.local; an empty domain leaves the bare name.
func (p Info) DefaultEndpoint(domain string) string {
	if domain != "" {
		domain = "." + domain
	}
	return p.Host + domain + ":80"
}

// Method returns the full name of the service's unary method: "/service/method".
func (p Info) Method() string {
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(p.Service))
	if err != nil {
		panic(err) // the generated code of the service is linked in
	}
	health := (*imageflowv1.HealthCheckRequest)(nil).ProtoReflect().Descriptor().FullName()
	methods := found.(protoreflect.ServiceDescriptor).Methods()
	for i := range methods.Len() {
		if m := methods.Get(i); !m.IsStreamingClient() && m.Input().FullName() != health {
			return "/" + p.Service + "/" + string(m.Name())
		}
	}
	panic("no unary method in " + p.Service)
}

// NewRequest returns an empty request of the processor's unary method; nil if no step of a pipeline has the processor's name.
func (p Info) NewRequest() proto.Message {
	step := (&imageflowv1.PipelineStep{}).ProtoReflect()
	field := step.Descriptor().Fields().ByName(protoreflect.Name(p.Name))
	if field == nil {
		return nil
	}
	return step.NewField(field).Message().Interface()
}

// RegisterJSON registers all JSON handlers of the processor.
func (p Info) RegisterJSON(ctx context.Context, mux *runtime.ServeMux, conn *grpc.ClientConn) error {
	for _, register := range p.JSON {
		if err := register(ctx, mux, conn); err != nil {
			return err
		}
	}
	return nil
}

// Named returns the processor with a name.
func Named(name string) (Info, bool) {
	return find(func(p Info) bool { return p.Name == name })
}

// At returns the processor of a Knative Service.
func At(host string) (Info, bool) {
	return find(func(p Info) bool { return p.Host == host })
}

func find(match func(Info) bool) (Info, bool) {
	if i := slices.IndexFunc(All, match); i >= 0 {
		return All[i], true
	}
	return Info{}, false
}

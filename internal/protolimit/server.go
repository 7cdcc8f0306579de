package protolimit

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	encodingproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
)

// Codec is the server option that checks messages before it decodes them.
func Codec() grpc.ServerOption {
	return grpc.ForceServerCodecV2(codec{encoding.GetCodecV2(encodingproto.Name)})
}

// codec decodes within the limits. grpc turns each error of a codec into Internal; a
// decoding carries the original error to the caller.
type codec struct{ encoding.CodecV2 }

// decoding is a message to decode, and the error of that.
type decoding struct {
	message any
	err     error
}

// Unmarshal decodes into a message or a *decoding.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	if d, ok := v.(*decoding); ok {
		d.err = c.decode(data, d.message)
		return nil
	}
	return c.decode(data, v)
}

func (c codec) decode(data mem.BufferSlice, v any) error {
	m, ok := v.(proto.Message)
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	whole := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer whole.Free()
	if err := check(whole.ReadOnlyData(), m.ProtoReflect().Descriptor()); err != nil {
		return err
	}
	if proto.Unmarshal(whole.ReadOnlyData(), m) != nil {
		return errMalformed
	}
	return nil
}

// Stream is the interceptor that reports the errors of Codec to callers of streams.
func Stream(server any, s grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	return handle(server, stream{s})
}

type stream struct{ grpc.ServerStream }

// RecvMsg receives a message within the limits.
func (s stream) RecvMsg(m any) error { return decode(s.ServerStream.RecvMsg, m) }

func decode(receive func(any) error, m any) error {
	d := &decoding{message: m}
	if err := receive(d); err != nil {
		return err
	}
	return d.err
}

// Registrar returns a registrar for services whose unary methods report the errors of
// Codec to their callers.
func Registrar(r grpc.ServiceRegistrar) grpc.ServiceRegistrar { return registrar{r} }

type registrar struct{ grpc.ServiceRegistrar }

// RegisterService registers the service.
func (r registrar) RegisterService(desc *grpc.ServiceDesc, impl any) {
	limited := *desc
	limited.Methods = make([]grpc.MethodDesc, len(desc.Methods))
	for i, m := range desc.Methods {
		limited.Methods[i] = grpc.MethodDesc{MethodName: m.MethodName, Handler: func(
			server any, ctx context.Context, receive func(any) error, intercept grpc.UnaryServerInterceptor,
		) (any, error) {
			return m.Handler(server, ctx, func(v any) error { return decode(receive, v) }, intercept)
		}}
	}
	r.ServiceRegistrar.RegisterService(&limited, impl)
}

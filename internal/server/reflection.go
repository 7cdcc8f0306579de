package server

import (
	"fmt"

	"google.golang.org/grpc/reflection"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	alphapb "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// addReflection serves the descriptors of all services, also of reflection, without the options that extensions define:
// protobuf.js, with which Node's clients read descriptors, fails at extensions of extensions ("duplicate id").
func (r *RPC) addReflection() {
	files := new(protoregistry.Files)
	options := reflection.ServerOptions{Services: r, DescriptorResolver: files, ExtensionResolver: new(protoregistry.Types)}
	reflectionpb.RegisterServerReflectionServer(r, reflection.NewServerV1(options))
	alphapb.RegisterServerReflectionServer(r, reflection.NewServer(options))
	for name := range r.GetServiceInfo() {
		service, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
		if err != nil {
			continue // a test's service without a descriptor is listed only
		}
		if err := addPlain(files, service.ParentFile()); err != nil {
			panic(fmt.Sprintf("reflection of %s: %v", name, err)) // the generated code is wrong
		}
	}
}

// addPlain adds a file to files after those that it needs, without extensions and the options that they define.
func addPlain(files *protoregistry.Files, file protoreflect.FileDescriptor) error {
	if _, err := files.FindFileByPath(file.Path()); err == nil {
		return nil
	}
	plain := protodesc.ToFileDescriptorProto(file)
	plain.Dependency, plain.PublicDependency, plain.Extension = nil, nil, nil
	for i := range file.Imports().Len() {
		imported := file.Imports().Get(i).FileDescriptor
		if imported.Extensions().Len() > 0 {
			continue // it is only for options
		}
		if err := addPlain(files, imported); err != nil {
			return err
		}
		plain.Dependency = append(plain.Dependency, imported.Path())
	}
	text, err := proto.Marshal(plain)
	if err != nil {
		return err
	}
	if err := withoutExtensions.Unmarshal(text, plain); err != nil {
		return err
	}
	descriptor, err := protodesc.NewFile(plain, files)
	if err != nil {
		return err
	}
	return files.RegisterFile(descriptor)
}

// withoutExtensions reads a message without its extensions: it knows none.
var withoutExtensions = proto.UnmarshalOptions{Resolver: new(protoregistry.Types), DiscardUnknown: true}

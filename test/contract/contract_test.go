// Package contract_test compares the contract that the gateway serves with the one that the program speaks.
package contract_test

import (
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	_ "imageflow.dev/proto/imageflow/v1"
)

// servedFile is the file at /proto.
const servedFile = "imageflow.proto"

func TestServedProto_isTheContractWithoutOptions(t *testing.T) {
	served := compile(t)
	for i := range served.Imports().Len() {
		if name := served.Imports().Get(i).Path(); !strings.HasPrefix(name, "google/protobuf/") {
			t.Errorf("imports %s, which protoc does not have", name)
		}
	}
	want := map[string]string{}
	protoregistry.GlobalFiles.RangeFilesByPackage("imageflow.v1", func(file protoreflect.FileDescriptor) bool {
		maps.Copy(want, elements(file))
		return true
	})
	got := elements(served)
	for name, element := range want {
		if got[name] != element {
			t.Errorf("%s is %q, want %q", name, got[name], element)
		}
	}
	for name := range got {
		if _, known := want[name]; !known {
			t.Errorf("%s is not in the contract", name)
		}
	}
	if len(want) < 500 {
		t.Errorf("%d elements compared", len(want))
	}
}

// compile reads the served file with the files that protoc brings, and no others.
func compile(t *testing.T) protoreflect.FileDescriptor {
	t.Helper()
	text, err := os.ReadFile("../../internal/gateway/" + servedFile)
	if err != nil {
		t.Fatal(err)
	}
	compiler := protocompile.Compiler{Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{
		Accessor: protocompile.SourceAccessorFromMap(map[string]string{servedFile: string(text)}),
	})}
	files, err := compiler.Compile(t.Context(), servedFile)
	if err != nil {
		t.Fatal(err)
	}
	return files[0]
}

// elements returns what the encodings of messages and the calls depend on, by name.
func elements(file protoreflect.FileDescriptor) map[string]string {
	found := map[string]string{}
	addMessages(found, file.Messages())
	addEnums(found, file.Enums())
	for i := range file.Services().Len() {
		for m, methods := 0, file.Services().Get(i).Methods(); m < methods.Len(); m++ {
			method := methods.Get(m)
			found[string(method.FullName())] = fmt.Sprint(method.Input().FullName(), " ", method.IsStreamingClient(), " ",
				method.Output().FullName(), " ", method.IsStreamingServer())
		}
	}
	return found
}

func addMessages(found map[string]string, messages protoreflect.MessageDescriptors) {
	for i := range messages.Len() {
		message := messages.Get(i)
		found[string(message.FullName())] = "a message"
		for f := range message.Fields().Len() {
			field := message.Fields().Get(f)
			found[string(field.FullName())] = describe(field)
		}
		addMessages(found, message.Messages())
		addEnums(found, message.Enums())
	}
}

func describe(field protoreflect.FieldDescriptor) string {
	text := fmt.Sprint(field.Number(), " ", field.Cardinality(), " ", field.Kind(), " ", field.JSONName(),
		" packed ", field.IsPacked(), " map ", field.IsMap(), " presence ", field.HasPresence())
	if field.Message() != nil {
		text += " " + string(field.Message().FullName())
	}
	if field.Enum() != nil {
		text += " " + string(field.Enum().FullName())
	}
	if oneof := field.ContainingOneof(); oneof != nil {
		text += " in " + string(oneof.Name())
	}
	return text
}

func addEnums(found map[string]string, enums protoreflect.EnumDescriptors) {
	for i := range enums.Len() {
		for v, values := 0, enums.Get(i).Values(); v < values.Len(); v++ {
			// Without the enum's name, values of two enums would look alike.
			found[fmt.Sprint(enums.Get(i).FullName(), " ", values.Get(v).Name())] = fmt.Sprint(values.Get(v).Number())
		}
	}
}

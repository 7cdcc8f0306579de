package main

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

// openAPI returns the OpenAPI 3.1 description of the contract, which is in one file.
func openAPI(contract *descriptorpb.FileDescriptorProto, imported []*descriptorpb.FileDescriptorProto) ([]byte, error) {
	contract = proto.CloneOf(contract)
	for _, message := range contract.MessageType {
		useProtoNames(message)
	}
	addWatch(contract)
	text, err := generateOpenAPI(contract, imported)
	if err != nil {
		return nil, err
	}
	return finish(text, contract)
}

// useProtoNames makes the names of fields in JSON those of the contract, as in the gateway's answers.
func useProtoNames(message *descriptorpb.DescriptorProto) {
	for _, field := range message.Field {
		field.JsonName = field.Name
	}
	for _, nested := range message.NestedType {
		useProtoNames(nested)
	}
}

// addWatch gives WatchExecutions its path. The contract has none, because grpc-gateway would then serve lines of JSON there.
func addWatch(contract *descriptorpb.FileDescriptorProto) {
	for _, service := range contract.Service {
		for _, method := range service.Method {
			if method.GetName() == "WatchExecutions" {
				method.ServerStreaming, method.Options = nil, &descriptorpb.MethodOptions{}
				rule := &annotations.HttpRule{Pattern: &annotations.HttpRule_Get{Get: "/v1/executions:watch"}}
				proto.SetExtension(method.Options, annotations.E_Http, rule)
			}
		}
	}
}

// generateOpenAPI returns what protoc-gen-openapiv3 of grpc-gateway writes.
func generateOpenAPI(contract *descriptorpb.FileDescriptorProto, imported []*descriptorpb.FileDescriptorProto) ([]byte, error) {
	request, err := proto.Marshal(&pluginpb.CodeGeneratorRequest{
		FileToGenerate: []string{contract.GetName()}, ProtoFile: append(imported, contract),
	})
	if err != nil {
		return nil, err
	}
	var out, errs bytes.Buffer
	plugin := exec.Command("go", "tool", "protoc-gen-openapiv3")
	plugin.Stdin, plugin.Stdout, plugin.Stderr = bytes.NewReader(request), &out, &errs
	if err := plugin.Run(); err != nil {
		return nil, fmt.Errorf("protoc-gen-openapiv3: %w: %s", err, &errs)
	}
	var response pluginpb.CodeGeneratorResponse
	if err := proto.Unmarshal(out.Bytes(), &response); err != nil {
		return nil, err
	}
	if response.Error != nil || len(response.File) != 1 {
		return nil, errors.New("protoc-gen-openapiv3: " + response.GetError())
	}
	return []byte(response.File[0].GetContent()), nil
}

// Command contract is a plugin of buf. It writes the contract of the files in imageflow/v1 as one file, imageflow.proto, that
// needs no other files than those of protoc, and as an OpenAPI 3.1 description, openapi.json.
package main

import (
	"errors"
	"path"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

// contractFile is the name of the file in which the contract is, for protoc and in the description of its origin.
const contractFile = "imageflow.proto"

func main() {
	protogen.Options{}.Run(generate)
}

func generate(plugin *protogen.Plugin) error {
	plugin.SupportedFeatures = uint64(pluginpb.CodeGeneratorResponse_FEATURE_PROTO3_OPTIONAL |
		pluginpb.CodeGeneratorResponse_FEATURE_SUPPORTS_EDITIONS)
	plugin.SupportedEditionsMinimum = descriptorpb.Edition_EDITION_PROTO3
	plugin.SupportedEditionsMaximum = descriptorpb.Edition_EDITION_2023

	var files, imported []*descriptorpb.FileDescriptorProto
	for _, file := range plugin.Request.ProtoFile {
		if path.Dir(file.GetName()) == "imageflow/v1" {
			files = append(files, file)
		} else {
			imported = append(imported, file)
		}
	}
	contract := join(files)

	text, err := plain(contract)
	if err != nil {
		return err
	}
	description, err := openAPI(contract, imported)
	if err != nil {
		return err
	}
	return errors.Join(write(plugin, contractFile, text), write(plugin, "openapi.json", description))
}

func write(plugin *protogen.Plugin, name string, text []byte) error {
	_, err := plugin.NewGeneratedFile(name, "").Write(text)
	return err
}

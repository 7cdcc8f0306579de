package main

import (
	"fmt"
	"maps"
	"strings"

	"google.golang.org/protobuf/types/descriptorpb"
)

// request is the message of a method.
type request struct{ name, description string }

// requestsOf returns the requests of the contract by the ids of the operations.
func requestsOf(contract *descriptorpb.FileDescriptorProto) map[string]request {
	descriptions := map[string]string{}
	for i, message := range contract.MessageType {
		descriptions[message.GetName()] = comment(contract, messagesNumber, i)
	}
	requests := map[string]request{}
	for _, service := range contract.Service {
		for _, method := range service.Method {
			name := method.GetInputType()[strings.LastIndex(method.GetInputType(), ".")+1:]
			requests[service.GetName()+"_"+method.GetName()] = request{name, descriptions[name]}
		}
	}
	return requests
}

// addBodies makes the body of an operation a component, and adds the form in which images arrive and the image as an answer.
func addBodies(document, operation object, r request) {
	content := operation.get("requestBody", "content")
	body := content.get("application/json")
	if body == nil {
		return
	}
	schemas, schema := document.get("components", "schemas"), body.get("schema")
	schema["description"] = r.description
	schemas[r.name] = schema
	body["schema"] = ref("schemas", r.name)
	if schema.get("properties", "input_bytes") == nil {
		return
	}
	form := strings.TrimSuffix(r.name, "Request") + "Form"
	schemas[form] = formOf(schema, r.name)
	content["multipart/form-data"] = object{"schema": ref("schemas", form)}
	delete(operation.get("requestBody"), "required") // openapi-python-client 0.29 fails at a required body of two types
	if schema.get("properties", "output_image") != nil {
		image := object{"type": "string", "format": "binary", "description": "The output, if Accept does not contain application/json."}
		operation.get("responses", "200", "content")["image/*"] = object{"schema": image}
	}
}

// formOf returns the schema of a form for a request.
func formOf(schema object, name string) object {
	properties := maps.Clone(schema.get("properties"))
	delete(properties, "input_bytes")
	properties["image"] = object{
		"type": "string", "format": "binary", "contentMediaType": "application/octet-stream", "description": "The file with the image.",
	}
	return object{
		"type": "object", "properties": properties,
		"description": fmt.Sprintf("The fields of %s, and a file for input_bytes. Messages are JSON; their fields are also fields of "+
			"the form, as in encoding.quality=70.", name),
	}
}

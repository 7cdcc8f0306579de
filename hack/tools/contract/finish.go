package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/types/descriptorpb"
)

// general is the part of the description that the contract does not have.
//
//go:embed general.yaml
var general []byte

const refPrefix = "#/components/"

// object is an object in JSON.
type object map[string]any

// get returns the object at a path of names, or nil.
func (o object) get(names ...string) object {
	for _, name := range names {
		o, _ = o[name].(object)
	}
	return o
}

func (o *object) UnmarshalJSON(text []byte) error {
	var members map[string]any
	err := json.Unmarshal(text, &members)
	*o, _ = typed(members).(object)
	return err
}

// typed returns a value of encoding/json or yaml with the type object for all objects.
func typed(value any) any {
	switch v := value.(type) {
	case map[string]any:
		o := object{}
		for name, member := range v {
			o[name] = typed(member)
		}
		return o
	case []any:
		for i, element := range v {
			v[i] = typed(element)
		}
	}
	return value
}

func ref(kind, name string) object { return object{"$ref": refPrefix + kind + "/" + name} }

// finish returns a description of protoc-gen-openapiv3 with short names of components, a component for every request, forms,
// errors and the general part.
func finish(text []byte, contract *descriptorpb.FileDescriptorProto) ([]byte, error) {
	var document object
	if err := json.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	if err := shortenNames(document); err != nil {
		return nil, err
	}
	var rest map[string]any
	if err := yaml.Unmarshal(general, &rest); err != nil {
		return nil, err
	}
	merge(document, typed(rest).(object))
	for _, schema := range document.get("components", "schemas") {
		limitOneOf(schema.(object))
	}
	describeValues(document, contract)
	requests := requestsOf(contract)
	for path := range document.get("paths") {
		for _, member := range document.get("paths", path) {
			operation := member.(object)
			addBodies(document, operation, requests[operation["operationId"].(string)])
			addErrors(document, operation)
		}
	}
	if err := addRanges(document, contract); err != nil {
		return nil, err
	}
	var finished bytes.Buffer
	encoder := json.NewEncoder(&finished)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	err := encoder.Encode(document)
	return finished.Bytes(), err
}

// merge adds the members of an object to another one: those of objects one by one, and the elements of lists after the existing
// ones. null removes a member.
func merge(into, from object) {
	for name, value := range from {
		switch added := value.(type) {
		case nil:
			delete(into, name)
			continue
		case object:
			if existing, ok := into[name].(object); ok {
				merge(existing, added)
				continue
			}
		case []any:
			if existing, ok := into[name].([]any); ok {
				value = append(existing, added...)
			}
		}
		into[name] = value
	}
}

// shortenNames names components without their packages.
func shortenNames(document object) error {
	schemas := document.get("components", "schemas")
	for _, name := range slices.Sorted(maps.Keys(schemas)) {
		short := name[strings.LastIndex(name, ".")+1:]
		if schemas[short] != nil {
			return fmt.Errorf("two components have the name %s", short)
		}
		schemas[short] = schemas[name]
		delete(schemas, name)
	}
	shortenRefs(document)
	return nil
}

func shortenRefs(value any) {
	switch v := value.(type) {
	case object:
		if to, ok := v["$ref"].(string); ok {
			v["$ref"] = refPrefix + "schemas/" + to[strings.LastIndexAny(to, "./")+1:]
		}
		for _, member := range v {
			shortenRefs(member)
		}
	case []any:
		for _, element := range v {
			shortenRefs(element)
		}
	}
}

// limitOneOf describes a message with one oneof and no other fields as one that has at most one property. Generators
// make unions of unrelated types from the oneOf of schemas.
func limitOneOf(schema object) {
	if schema["oneOf"] != nil {
		delete(schema, "oneOf")
		schema["maxProperties"] = 1
	}
}

// describeValues adds what the contract says about the values of enums to the descriptions of the enums.
func describeValues(document object, contract *descriptorpb.FileDescriptorProto) {
	for i, enum := range contract.EnumType {
		schema := document.get("components", "schemas", enum.GetName())
		if schema == nil {
			continue
		}
		text := fmt.Sprintln(schema["description"])
		for v, value := range enum.Value {
			if about := comment(contract, enumsNumber, i, valuesNumber, v); about != "" {
				text += "\n - " + value.GetName() + ": " + about
			}
		}
		schema["description"] = strings.TrimSpace(text)
	}
}

// addErrors adds the answers with errors.
func addErrors(document, operation object) {
	delete(operation.get("responses"), "default")
	_, needsNoToken := operation["security"]
	for status := range document.get("components", "responses") {
		isOfBody := status == "413" || status == "415"
		if isOfBody && operation["requestBody"] == nil || status == "401" && needsNoToken {
			continue
		}
		operation.get("responses")[status] = ref("responses", status)
	}
}

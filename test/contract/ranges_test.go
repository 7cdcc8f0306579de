package contract_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"buf.build/go/protovalidate"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"
)

// description is the file at /openapi.json.
const description = "openapi.json"

// TestOpenAPI_hasTheRangesOfTheContract: of many values of each field of the requests, the description permits those that the
// rules of the contract permit.
func TestOpenAPI_hasTheRangesOfTheContract(t *testing.T) {
	document, compiler := readDescription(t)
	schemas := document["components"].(map[string]any)["schemas"].(map[string]any)
	compared := 0
	protoregistry.GlobalFiles.RangeFilesByPackage("imageflow.v1", func(file protoreflect.FileDescriptor) bool {
		for i := range file.Messages().Len() {
			message := file.Messages().Get(i)
			schema, _ := schemas[string(message.Name())].(map[string]any)
			properties, _ := schema["properties"].(map[string]any)
			for name := range properties {
				at := fmt.Sprintf("%s#/components/schemas/%s/properties/%s", description, message.Name(), name)
				compared += compare(t, message, name, compiler.MustCompile(at))
			}
		}
		return true
	})
	if compared < 1000 {
		t.Errorf("%d values compared", compared)
	}
}

// TestOpenAPI_hasTheRangesOfParameters: the same of the parameters of queries and paths.
func TestOpenAPI_hasTheRangesOfParameters(t *testing.T) {
	document, compiler := readDescription(t)
	for path, request := range map[string]protoreflect.FullName{
		"/v1/executions": "ListExecutionsRequest", "/v1/executions:watch": "WatchExecutionsRequest",
		"/v1/executions/{execution_id}": "GetExecutionRequest", "/v1/dead-letters": "ListDeadLettersRequest",
		"/v1/info": "DescribeImageRequest", "/v1/models/{name}": "GetModelRequest",
	} {
		found, err := protoregistry.GlobalFiles.FindDescriptorByName("imageflow.v1." + request)
		if err != nil {
			t.Fatal(err)
		}
		message := found.(protoreflect.MessageDescriptor)
		operation := document["paths"].(map[string]any)[path].(map[string]any)["get"].(map[string]any)
		compared := 0
		for i, parameter := range operation["parameters"].([]any) {
			name := parameter.(map[string]any)["name"].(string)
			at := fmt.Sprintf("%s#/paths/%s/get/parameters/%d/schema", description, strings.ReplaceAll(path, "/", "~1"), i)
			if message.Fields().ByName(protoreflect.Name(name)) != nil {
				compared += compare(t, message, name, compiler.MustCompile(at))
			}
		}
		if compared < 20 {
			t.Errorf("%s: %d values compared", path, compared)
		}
	}
}

func readDescription(t *testing.T) (map[string]any, *jsonschema.Compiler) {
	t.Helper()
	text, err := os.ReadFile("../../internal/gateway/" + description)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource(description, document); err != nil {
		t.Fatal(err)
	}
	return document.(map[string]any), compiler
}

// compare returns the number of values about which the schema and the rules of a field agree.
func compare(t *testing.T, message protoreflect.MessageDescriptor, name string, schema *jsonschema.Schema) (compared int) {
	t.Helper()
	if freeInAnswers[string(message.Name())+"."+name] {
		return 0
	}
	for _, value := range valuesOf(message.Fields().ByName(protoreflect.Name(name))) {
		text, err := json.Marshal(map[string]any{name: value})
		if err != nil {
			t.Fatal(err)
		}
		request := dynamicpb.NewMessage(message)
		if protojson.Unmarshal(text, request) != nil {
			continue // not a value of the field's type
		}
		decoded, _ := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
		broken := brokenRule(protovalidate.Validate(request), name)
		if broken == "double.gt" && value == 0 {
			broken = "" // requests take a preset's value
		}
		if err := schema.Validate(decoded.(map[string]any)[name]); (err == nil) != (broken == "") {
			t.Errorf("%s.%s = %.60s: the description permits it: %v; the rule that it breaks: %q",
				message.Name(), name, text, err == nil, broken)
		}
		compared++
	}
	return compared
}

// brokenRule returns the id of a rule with a keyword of JSON Schema that a field or a part of it breaks.
func brokenRule(err error, field string) string {
	var invalid *protovalidate.ValidationError
	if !errors.As(err, &invalid) {
		return ""
	}
	for _, v := range invalid.Violations {
		id := v.Proto.GetRuleId()
		kind, _, _ := strings.Cut(id, ".")
		elements := v.Proto.GetField().GetElements()
		if len(elements) > 0 && elements[0].GetFieldName() == field && hasKeyword[kind] && !inCEL[id] {
			return id
		}
	}
	return ""
}

// hasKeyword are the kinds of rules that the description can have.
var hasKeyword = map[string]bool{
	"required": true, "int32": true, "float": true, "double": true, "string": true, "bytes": true, "repeated": true, "map": true,
}

// inCEL are rules that only the contract has.
var inCEL = map[string]bool{"string.object_key": true, "string.variant": true, "string.variant.reserved": true}

// freeInAnswers are the fields whose rules are only for requests: answers have texts of the store there.
var freeInAnswers = map[string]bool{"ImageData.bucket": true, "ImageData.content_type": true, "ImageData.etag": true}

// The numbers and lengths around the limits of the contract.
var (
	integers = []any{
		-1 << 31, -181, -1, 0, 1, 4, 5, 9, 10, 31, 32, 64, 65, 89, 90, 100, 101, 255, 256, 270, 271, 500, 501, 4096, 4097,
		10_000, 10_001, 16_383, 16_384, 16_385, 1<<31 - 1,
	}
	fractions = []any{-1e9, -180.1, -180, -1e-3, 0, 1e-3, 0.099, 0.1, 0.75, 0.751, 1, 1.001, 8, 8.001, 180, 180.1, 1e9}
	// sizes are those of lists and maps, lengths those of texts.
	sizes   = []int{0, 1, 2, 3, 4, 5, 16, 17, 32, 33, 100, 101, 150, 151, 1000, 1001}
	lengths = []int{0, 1, 2, 32, 33, 64, 65, 100, 101, 128, 129, 200, 201, 900, 901, 1024, 1025, 4096, 4097}
	// encoded are texts in base64 whose lengths are in different groups of four characters.
	encoded = []any{[]byte{1}, make([]byte, 131_072), make([]byte, 131_074)}
)

// valuesOf returns values of a field in JSON, none for enums and messages.
func valuesOf(field protoreflect.FieldDescriptor) []any {
	switch {
	case field.IsMap():
		return mapsOf(valuesOf(field.MapValue()))
	case field.IsList():
		return listsOf(field)
	}
	switch field.Kind() { //nolint:exhaustive // others have no ranges
	case protoreflect.Int32Kind:
		return integers
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return fractions
	case protoreflect.StringKind:
		values := []any{"!", "-", "a.b", "#ff00ff", "ff00f", "0", "7", "0123456789"}
		for _, n := range lengths {
			values = append(values, strings.Repeat("a", n))
		}
		return values
	case protoreflect.BytesKind:
		return encoded
	}
	return nil
}

// listsOf returns lists of one value, and longer ones.
func listsOf(field protoreflect.FieldDescriptor) (lists []any) {
	element := func(int) any { return map[string]any{} }
	switch enum := field.Enum(); {
	case field.Kind() == protoreflect.Int64Kind: // texts in JSON
		return nil
	case enum != nil:
		element = func(i int) any { return enum.Values().Get(1 + i%(enum.Values().Len()-1)).Name() }
	case field.Kind() == protoreflect.StringKind:
		element = func(i int) any { return fmt.Sprint("k", i) }
		for _, n := range lengths {
			lists = append(lists, []any{strings.Repeat("a", n)})
		}
	case field.Message() == nil:
		element = func(i int) any { return i }
	}
	for _, n := range sizes {
		list := make([]any, n)
		for i := range list {
			list[i] = element(i)
		}
		lists = append(lists, list)
	}
	return lists
}

// mapsOf returns maps with one entry for each value, and longer ones.
func mapsOf(values []any) (maps []any) {
	for _, value := range values {
		maps = append(maps, map[string]any{"k": value})
	}
	value := values[len(values)/2]
	for _, n := range lengths {
		maps = append(maps, map[string]any{strings.Repeat("a", n): value})
	}
	for _, n := range sizes {
		long := map[string]any{}
		for i := range n {
			long[fmt.Sprint("k", i)] = value
		}
		maps = append(maps, long)
	}
	return maps
}

package main

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
)

// Numbers of the fields of FileDescriptorProto, with which the paths of comments begin.
const (
	messagesNumber = 4
	enumsNumber    = 5
	servicesNumber = 6
)

// valuesNumber is the number of the values in EnumDescriptorProto.
const valuesNumber = 2

// join returns one file with the messages, enums and services of all files and their comments. Extensions, which only
// options use, are left out.
func join(files []*descriptorpb.FileDescriptorProto) *descriptorpb.FileDescriptorProto {
	joined := &descriptorpb.FileDescriptorProto{
		Name: proto.String(contractFile), Package: files[0].Package, Syntax: proto.String("proto3"),
		Options: files[0].Options, SourceCodeInfo: &descriptorpb.SourceCodeInfo{},
	}
	lines := int32(0) // in the files before this one; the printer orders elements by their lines
	for _, file := range files {
		before := map[int32]int{
			messagesNumber: len(joined.MessageType), enumsNumber: len(joined.EnumType), servicesNumber: len(joined.Service),
		}
		joined.MessageType = append(joined.MessageType, file.MessageType...)
		joined.EnumType = append(joined.EnumType, file.EnumType...)
		joined.Service = append(joined.Service, file.Service...)
		for _, imported := range file.Dependency {
			if !ofContract(files, imported) && !slices.Contains(joined.Dependency, imported) {
				joined.Dependency = append(joined.Dependency, imported)
			}
		}
		joined.SourceCodeInfo.Location = append(joined.SourceCodeInfo.Location, comments(file, before, lines)...)
		lines += lastLine(file) + 1
	}
	return joined
}

func ofContract(files []*descriptorpb.FileDescriptorProto, name string) bool {
	return slices.ContainsFunc(files, func(f *descriptorpb.FileDescriptorProto) bool { return f.GetName() == name })
}

// comments returns the locations of the elements of a file in the joined one, in which there are elements of the same
// kind and lines before them.
func comments(file *descriptorpb.FileDescriptorProto, before map[int32]int, lines int32) []*descriptorpb.SourceCodeInfo_Location {
	var moved []*descriptorpb.SourceCodeInfo_Location
	for _, location := range file.GetSourceCodeInfo().GetLocation() {
		if len(location.Path) < 2 {
			continue
		}
		first, known := before[location.Path[0]]
		if !known {
			continue
		}
		location = proto.CloneOf(location)
		location.Path[1] += int32(first) //nolint:gosec // a number of messages
		location.Span[0] += lines
		if len(location.Span) == 4 { // first line, column, last line, column
			location.Span[2] += lines
		}
		moved = append(moved, location)
	}
	return moved
}

func lastLine(file *descriptorpb.FileDescriptorProto) int32 {
	last := int32(0)
	for _, location := range file.GetSourceCodeInfo().GetLocation() {
		last = max(last, location.Span[0], location.Span[max(0, len(location.Span)-2)])
	}
	return last
}

// comment returns the comment above the element at a path of descriptor.proto.
func comment(file *descriptorpb.FileDescriptorProto, path ...int) string {
	for _, location := range file.GetSourceCodeInfo().GetLocation() {
		if slices.EqualFunc(location.Path, path, func(a int32, b int) bool { return int(a) == b }) {
			return strings.TrimSpace(strings.ReplaceAll(location.GetLeadingComments(), "\n ", "\n"))
		}
	}
	return ""
}

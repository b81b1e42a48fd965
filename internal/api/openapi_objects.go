package api

import (
	"slices"

	"leat/internal/types"
)

// endpoint adds the operations of an endpoint, with its parameters and the columns of its answer.
func (d *openDocument) endpoint(e Endpoint) {
	result := ref("schemas/Result")
	if e.Columns != nil {
		d.schemas["row_"+e.Name] = rowSchema(e.Columns)
		d.schemas["result_"+e.Name] = resultSchema(ref("schemas/row_" + e.Name))
		result = ref("schemas/result_" + e.Name)
	}
	path := "/v1/endpoints/" + e.Name
	params := []object{}
	for _, p := range e.Params {
		params = append(params, argument(p))
	}
	for _, p := range objectParams(callParams) {
		params = append(params, queryParam(p))
	}
	params = append(params, afterParam(), object{"name": "If-None-Match", "in": "header", "required": false, "schema": textSchema,
		"description": "ETag of an answer that the caller has."})
	d.put(path, "GET", endpointOperation(e, "get", result, object{"parameters": params}))

	properties, required := object{}, []string{}
	for _, p := range e.Params {
		properties[p.Name] = argumentSchema(p)
		if p.Required {
			required = append(required, p.Name)
		}
	}
	schema := object{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
	var options []object
	for _, p := range objectParams(callParams) {
		options = append(options, queryParam(p))
	}
	d.put(path, "POST", endpointOperation(e, "post", result, object{"parameters": append(options, afterParam()), "requestBody": object{
		"required": len(required) > 0, "content": object{"application/json": object{"schema": schema}},
	}}))
}

// objectParams leaves out _int64, which would give the columns other types than their schema says.
func objectParams(list []param) []param {
	return slices.DeleteFunc(slices.Clone(list), func(p param) bool { return p.name == int64Param.name })
}

// argument is a parameter of an endpoint in the URL. Lists, structs and maps are JSON there.
func argument(p Param) object {
	out := object{"name": p.Name, "in": "query", "required": p.Required, "description": p.Type.String()}
	schema := argumentSchema(p)
	if about, ok := schema["description"].(string); ok {
		out["description"] = p.Type.String() + ". " + about
	}
	if p.Type.Kind.IsNested() {
		out["content"] = object{"application/json": object{"schema": schema}}
		return out
	}
	if p.Type.Kind == types.JSON {
		schema["type"] = "string"
		if p.Default != nil {
			schema["default"] = *p.Default
		}
	}
	out["schema"] = schema
	return out
}

func endpointOperation(e Endpoint, verb string, result object, op object) object {
	op["operationId"] = verb + "_" + e.Name
	op["summary"] = e.Description
	if e.Description == "" {
		op["summary"] = "Call " + e.Name + "."
	}
	op["tags"] = []string{"endpoints"}
	op["responses"] = object{
		"200": object{"description": "The result.", "content": content(resultTypes, result),
			"headers": freshHeaders("Leat-Cursor", "Link", "Leat-Cache", "Leat-Stale", "ETag", "Age")},
		"304":     object{"description": "The caller has this answer.", "headers": freshHeaders("ETag")},
		"default": ref("responses/Problem"),
	}
	op["security"] = security([]string{"read:" + e.Name})
	return op
}

// view adds the look-up of a materialized view's rows by its key.
func (d *openDocument) view(r Relation) {
	d.schemas["row_"+r.Name] = rowSchema(r.Columns)
	d.schemas["result_"+r.Name] = resultSchema(ref("schemas/row_" + r.Name))
	d.rows("/v1/views/"+r.Name+"/rows", "view", r)
	if len(r.Key) == 1 {
		d.keyed("/v1/views/"+r.Name+"/rows/{key}", "view", r, false)
	}
}

// rows adds the look-up of rows by the columns of the key and of indexes.
func (d *openDocument) rows(path, kind string, r Relation) {
	d.schemas["result_"+r.Name] = resultSchema(ref("schemas/row_" + r.Name))
	params := foundBy(r)
	for _, p := range objectParams(callParams) {
		params = append(params, queryParam(p))
	}
	d.put(path, "GET", object{
		"operationId": "rows_" + r.Name, "summary": "Read rows of " + r.Name + " by columns of its key or of an index.", "tags": []string{kind + "s"},
		"parameters": append(params, afterParam()), "security": security([]string{"read:" + r.Name}),
		"responses": object{
			"200": object{"description": "The row of a whole key, or a page of rows.", "headers": freshHeaders("Leat-Cursor", "Link"),
				"content": content(resultTypes, object{"anyOf": []object{ref("schemas/result_" + r.Name), ref("schemas/row_" + r.Name)}})},
			"default": ref("responses/Problem"),
		},
	})
}

// foundBy are the columns of the key and of indexes as query parameters.
func foundBy(r Relation) []object {
	params, names := []object{}, slices.Clone(r.Key)
	for _, x := range r.Indexes {
		for _, name := range x.Columns {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	for _, name := range names {
		i := slices.IndexFunc(r.Columns, func(c Column) bool { return c.Name == name })
		if i < 0 {
			continue
		}
		p := argument(Param{Name: name, Type: r.Columns[i].Type})
		params = append(params, p)
	}
	return params
}

// keyed adds what can be done with one row.
func (d *openDocument) keyed(path, kind string, r Relation, writes bool) {
	key := object{"name": "key", "in": "path", "required": true, "schema": object{"type": "string", "minLength": 1}, "description": "The value of " + r.Key[0] + "."}
	var options []object
	for _, p := range objectParams(rowParams) {
		options = append(options, queryParam(p))
	}
	row := ref("schemas/row_" + r.Name)
	d.put(path, "GET", object{
		"operationId": "row_" + r.Name, "summary": "Read one row of " + r.Name + " by its key.", "tags": []string{kind + "s"},
		"parameters": append(append([]object{key}, options...), afterParam()), "security": security([]string{"read:" + r.Name}),
		"responses": object{"200": object{"description": "The row.", "headers": freshHeaders(), "content": content(jsonOnly, row)}, "default": ref("responses/Problem")},
	})
	if !writes {
		return
	}
	written := object{"200": object{"description": "It is done.", "content": content(jsonOnly, ref("schemas/Written"))}, "default": ref("responses/Problem")}
	timeout := queryParam(timeoutParam)
	d.put(path, "PUT", object{
		"operationId": "put_" + r.Name, "summary": "Make or replace one row of " + r.Name + ".", "tags": []string{kind + "s"},
		"parameters": []object{key, timeout}, "security": security([]string{"append:" + r.Name}),
		"requestBody": object{"required": true, "content": object{"application/json": object{"schema": object{"type": "object", "properties": rowSchema(r.Columns)["properties"]}}}},
		"responses":   written,
	})
	d.put(path, "DELETE", object{
		"operationId": "delete_" + r.Name, "summary": "Delete one row of " + r.Name + ".", "tags": []string{kind + "s"},
		"parameters": []object{key, timeout}, "security": security([]string{"append:" + r.Name}), "responses": written,
	})
}

// table adds the rows of a table by its key, and writes for who may.
func (d *openDocument) table(r Relation, writes bool) {
	d.schemas["row_"+r.Name] = rowSchema(r.Columns)
	d.rows("/v1/tables/"+r.Name+"/rows", "table", r)
	if len(r.Key) == 1 {
		d.keyed("/v1/tables/"+r.Name+"/rows/{key}", "table", r, writes)
	}
}

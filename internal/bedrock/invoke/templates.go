package invoke

// imageMark stands in a prompt where an image belongs.
const imageMark = "<|image|>"

// The templates, from the model cards and prompt guides of their makers.

var llama2Template = template{
	system: [2]string{"<<SYS>>\n", "\n<</SYS>>\n\n"}, inUser: true, userFirst: true,
	user: [2]string{"<s>[INST] ", " [/INST]"}, assistant: [2]string{" ", " </s>"},
	marks: []string{"<s>", "</s>", "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>"},
}

var llama3Template = template{
	begin:     "<|begin_of_text|>",
	system:    [2]string{"<|start_header_id|>system<|end_header_id|>\n\n", "<|eot_id|>"},
	user:      [2]string{"<|start_header_id|>user<|end_header_id|>\n\n", "<|eot_id|>"},
	assistant: [2]string{"<|start_header_id|>assistant<|end_header_id|>\n\n", "<|eot_id|>"},
	open:      "<|start_header_id|>assistant<|end_header_id|>\n\n",
	trim:      true,
	marks:     []string{"<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|eom_id|>", "<|python_tag|>", imageMark},
}

var llama4Template = template{
	begin:     "<|begin_of_text|>",
	system:    [2]string{"<|header_start|>system<|header_end|>\n\n", "<|eot|>"},
	user:      [2]string{"<|header_start|>user<|header_end|>\n\n", "<|eot|>"},
	assistant: [2]string{"<|header_start|>assistant<|header_end|>\n\n", "<|eot|>"},
	open:      "<|header_start|>assistant<|header_end|>\n\n",
	trim:      true,
	marks:     []string{"<|begin_of_text|>", "<|header_start|>", "<|header_end|>", "<|eot|>", "<|eom|>", "<|python_start|>", "<|python_end|>"},
}

var mistralTemplate = template{
	begin:  "<s>",
	system: [2]string{"", "\n\n"}, inUser: true, userFirst: true,
	user: [2]string{"[INST] ", " [/INST]"}, assistant: [2]string{" ", "</s>"},
	marks: []string{"<s>", "</s>", "[INST]", "[/INST]"},
}

var titanTemplate = template{
	system: [2]string{"\n\nUser: <admin>", "</admin>"},
	user:   [2]string{"\n\nUser: ", ""}, assistant: [2]string{"\n\nBot: ", ""}, open: "\n\nBot: ",
	marks: []string{"\n\nUser:", "\n\nBot:"},
}

var cohereTemplate = template{
	system: [2]string{"", "\n\n"},
	user:   [2]string{"User: ", "\n"}, assistant: [2]string{"Chatbot: ", "\n"}, open: "Chatbot:",
	marks: []string{"\nUser:", "\nChatbot:"},
}

var j2Template = template{
	system: [2]string{"", "\n\n"},
	user:   [2]string{"User: ", "\n"}, assistant: [2]string{"Assistant: ", "\n"}, open: "Assistant:",
	marks: []string{"\nUser:", "\nAssistant:"},
}

var claudeTemplate = template{
	system: [2]string{"\n\nHuman: <admin>", "</admin>"}, userFirst: true,
	user: [2]string{"\n\nHuman: ", ""}, assistant: [2]string{"\n\nAssistant: ", ""}, open: "\n\nAssistant:",
	marks: []string{"\n\nHuman:", "\n\nAssistant:"},
}

// claude21Template is that of Claude 2.1, which has a system prompt before the first turn.
var claude21Template = template{
	userFirst: true,
	user:      [2]string{"\n\nHuman: ", ""}, assistant: [2]string{"\n\nAssistant: ", ""}, open: "\n\nAssistant:",
	marks: []string{"\n\nHuman:", "\n\nAssistant:"},
}

var r1Template = template{
	begin: "<｜begin▁of▁sentence｜>",
	user:  [2]string{"<｜User｜>", ""}, assistant: [2]string{"<｜Assistant｜>", "<｜end▁of▁sentence｜>"},
	open: "<｜Assistant｜><think>\n", inThought: true, dropThoughts: true,
	marks: []string{"<｜begin▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>"},
}

var chatMLTemplate = template{
	system:    [2]string{"<|im_start|>system\n", "<|im_end|>\n"},
	user:      [2]string{"<|im_start|>user\n", "<|im_end|>\n"},
	assistant: [2]string{"<|im_start|>assistant\n", "<|im_end|>\n"},
	open:      "<|im_start|>assistant\n",
	marks:     []string{"<|im_start|>", "<|im_end|>"},
}

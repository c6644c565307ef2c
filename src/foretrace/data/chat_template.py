"""The form of a chat for `transformers` and vLLM: the same text that `chat.py` writes, as a template of theirs.

It goes into `tokenizer_config.json`. After a template, what a user wrote and special tokens cannot be told apart any
more; `chat.py` keeps them apart, so training uses that.
"""

CHAT_TEMPLATE = """\
{{- bos_token -}}
{%- for message in messages -%}
{%- set role = 'tool: ' + message['name'] if message['role'] == 'tool' else message['role'] -%}
{%- set content = message['content'] or '' -%}
{%- set content = content if role.startswith('tool: ') else content | trim -%}
{{- '<|start_header_id|>' + role + '<|end_header_id|>\\n\\n' -}}
{%- set thinking = message['thinking'] or message['reasoning_content'] -%}
{%- if thinking -%}{{- '<think>\\n' + thinking | trim + '\\n</think>\\n' -}}{%- endif -%}
{{- content -}}
{%- for call in message['tool_calls'] or [] -%}
{%- set call = call['function'] or {'name': call['name'], 'arguments': call['content']} -%}
{{- ('\\n' if content or not loop.first else '') + '<tool: ' + call['name'] + '>\\n' + call['arguments'] + '\\n</tool>' -}}
{%- endfor -%}
{{- '<|eot_id|>' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' + ('<think>\\n' if enable_thinking else '') -}}
{%- endif -%}
"""

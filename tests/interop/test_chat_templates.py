"""Conversations written out by chat templates are those of transformers' apply_chat_template, text and ids."""

import json

import pytest
from runtimes import ROOT, terse
from transformers import AutoTokenizer

LM = ROOT / "testdata/lm"

# In the styles of public models, and one for each construct; written for this test.
TEMPLATES = {
    "chatml": """{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}
{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}""",
    "chatml_default_system": """{%- if messages[0].role != 'system' %}
    {{- '<|im_start|>system\nBe helpful.<|im_end|>\n' }}
{%- endif %}
{%- for message in messages %}
    {{- '<|im_start|>' ~ message.role ~ '\n' ~ message.content | trim ~ '<|im_end|>\n' }}
{%- endfor %}""",
    "llama2": """{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}
{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}
{% for message in loop_messages %}
    {% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{ raise_exception('Roles must alternate') }}
    {% endif %}
    {% if loop.index0 == 0 and system_message != false %}
        {% set content = '<<SYS>>\n' + system_message + '\n<</SYS>>\n\n' + message['content'] %}
    {% else %}
        {% set content = message['content'] %}
    {% endif %}
    {% if message['role'] == 'user' %}
        {{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}
    {% elif message['role'] == 'assistant' %}
        {{ ' ' + content.strip() + ' ' + eos_token }}
    {% endif %}
{% endfor %}""",
    "llama3": """{%- set ns = namespace(first=true, count=0) %}
{{- bos_token }}
{%- for message in messages -%}
    {%- set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' -%}
    {%- if loop.first and not ns.first is none %}{% set ns.first = false %}{% endif -%}
    {% set ns.count = ns.count + 1 -%}
    {{ content }}
{%- endfor %}
{{- ns.count }} {{ ns.first }}
{%- if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}""",
    "zephyr": """{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>\n' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>\n' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{{ '<|assistant|>\n'  + message['content'] + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}""",
    "mistral": """{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set rest = messages[1:] %}
{%- else %}
    {%- set rest = messages %}
{%- endif %}
{%- set user_messages = rest | selectattr("role", "equalto", "user") | list %}
{{- bos_token }}
{%- for message in rest %}
    {%- if message["role"] == "user" %}
        {%- if loop.last and system_message is defined %}
            {{- "[INST] " + system_message + "\n\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST] " + message["content"] + "[/INST]" }}
        {%- endif %}
        {%- if message == user_messages[-1] %}{{- "!" }}{% endif %}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"]|trim + eos_token}}
    {%- else %}
        {{- raise_exception("no such role: " + message["role"]) }}
    {%- endif %}
{%- endfor %}
""",
    "gemma": """{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}""",
    "phi3": """{% for message in messages %}{% if message['role'] in ['system', 'user'] and message['content'] %}{{'<|' + message['role'] + '|>\n' + message['content'] + '<|end|>\n'}}{% elif message['role'] == 'assistant' %}{{'<|assistant|>\n' + message['content'] + '<|end|>\n'}}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}""",
    "generation": "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}{% else %}{{ m.content }}{% endif %}{% endfor %}",
    "macro": """{% macro turn(role, content='', end='|') -%}
[{{ role | upper }}] {{ content }}{{ end }}
{%- endmacro %}
{% for m in messages %}{{ turn(m.role, content=m.content) }}{{ turn(m['role'], end='.') }}
{% endfor %}""",
    "controls": """{% for m in messages %}{% if loop.index == 2 %}{% continue %}{% endif %}{% if loop.index > 3 %}{% break %}{% endif %}{{ loop.index }}/{{ loop.length }} {{ loop.revindex }} {{ loop.previtem.role if loop.previtem is defined }} {{ loop.nextitem is defined }}
{% else %}none{% endfor %}{% for x in [] %}{% else %}empty{% endfor %}{% for m in messages if m.role == 'user' %}{{ loop.index }}{{ m.content[:5] }}{% endfor %}""",
    "scopes": """{% set x = 1 %}{% for i in range(3) %}{{ x }}{% set x = x + i %}{{ x }} {% endfor %}{{ x }}{% if true %}{% set x = 'if' %}{% endif %}{{ x }}{% set block %} captured {{ x }} {% endset %}[{{ block | trim }}]{% set a, b = 'left', 'right' %}{{ b }}{{ a }}{% for k, v in {'k': 'v', 'l': [1, 2.5, none, true]}.items() %}{{ k }}={{ v }};{% endfor %}""",
    "values": """{{ 1 + 2 * 3 - 7 // 2 - -7 // 2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 1 / 4 }} {{ 10 / 5 }} {{ 1e3 if false else 2.50 }} {{ [1, 'a', "it's", none, [], {}] }} {{ {'a': 1, "b": (1,), 'c': 'x\\ny\\u00e9'} }} {{ true and 'yes' or 'no' }} {{ none }} {{ undefined_thing }} {{ 1 < 2 < 3 }} {{ 3 in [1, 2, 3] }} {{ 'b' not in 'abc' }} {{ not 1 == 2 }} {{ 'a' 'b' }} {{ 'x' ~ 1 ~ none }} {{ (1, 2) == [1, 2] }} {{ 1 == 1.0 }} {{ true == 1 }} {{ 1.0 }} {{ 100000000000000000000.0 }} {{ 0.00001 }} {{ 123456789.125 }}""",
    "slices": """{{ 'abcdef'[1:3] }} {{ 'abcdef'[::-1] }} {{ 'abcdef'[-2:] }} {{ [1, 2, 3, 4][::2] }} {{ [1, 2, 3][5:] }} {{ [1, 2, 3][-1] }} {{ [1, 2, 3][7] is defined }} {{ 'héllo'[1] }} {{ messages[-1].content[1:-1] }} {{ [1,2,3,4,5][3:0:-1] }} {{ messages[0]['nothing'] is defined }} {{ messages[0].nothing.__class__ if false }}""",
    "filters": """{{ '  x '|trim }}|{{ 'xxaxx'|trim('x') }}|{{ 'AbC'|lower }}|{{ 'aBc'|upper }}|{{ 'hello WORLD'|capitalize }}|{{ "hello wOrld-it's (ok)"|title }}|{{ [1,2]|length }}|{{ 'héé'|length }}|{{ [3,1]|first }}|{{ [3,1]|last }}|{{ ''|default('d') }}|{{ ''|default('d', true) }}|{{ nothing|default('n') }}|{{ ['a', 1, none]|join(', ') }}|{{ 'abc'|join('-') }}|{{ 'aXbX'|replace('X', 'y') }}|{{ 'aXbX'|replace('X', 'y', 1) }}|{{ 'abc'|list }}|{{ 12|string + '3' }}|{{ '42'|int + 1 }}|{{ '4.9'|int }}|{{ 'x'|int(7) }}|{{ '2.5'|float }}|{{ -3|abs }}|{{ 'abc'|reverse }}|{{ [1,2,3]|reverse|list }}|{{ messages|map(attribute='role')|join(',') }}|{{ messages|map(attribute='role')|map('upper')|list }}|{{ messages|rejectattr('role', 'equalto', 'user')|list|length }}|{{ [0,1,2]|select|list }}|{{ [1,2,3]|select('odd')|list }}|{{ [1,2,3]|reject('>', 2)|list }}|{{ nothing|length }}|{{ nothing|upper }}|{% for k, v in {'a': 1}|items %}{{ k }}{{ v }}{% endfor %}""",
    "json": """{{ messages|tojson }}|{{ messages[0]|tojson(indent=2) }}|{{ {'b': [1, 2.0, none, true], 'a': 'é"\\\\\\t\\u0001'}|tojson(sort_keys=true) }}|{{ []|tojson(indent=4) }}|{{ {'a': {}}|tojson(separators=(',', ':')) }}""",
    "tests": """{% for x in [none, 1, 1.5, 'x', [1], {'a': 1}, true] %}{{ x is none }}{{ x is string }}{{ x is mapping }}{{ x is iterable }}{{ x is sequence }}{{ x is number }}{{ x is integer }}{{ x is boolean }}{{ x is defined }} {% endfor %}{{ nothing is defined }}{{ nothing is undefined }}{{ 3 is odd }}{{ 4 is divisibleby 2 }}{{ 'a' is in ['a'] }}{{ 1 is eq 1 }}{{ 2 is not none }}{{ 'a' is equalto('b') }}""",
    "methods": """{{ ' a '.strip() }}|{{ 'xxa'.lstrip('x') }}|{{ 'a \n'.rstrip() }}|{{ 'abc'.startswith('ab') }}|{{ 'abc'.startswith(('x', 'a')) }}|{{ 'abc'.endswith('bc') }}|{{ 'a b  c'.split() }}|{{ 'a,b,,c'.split(',') }}|{{ 'a,b,c'.split(',', 1) }}|{{ 'aB'.upper() }}|{{ 'aB'.lower() }}|{{ "they're ok x1y".title() }}|{{ 'abab'.replace('a', '') }}|{{ '-'.join(['a', 'b']) }}|{{ 'abc'.find('c') }}|{{ 'aaa'.count('a') }}|{{ {'a': 1}.get('b', 2) }}|{{ {'a': 1}.get('b') }}|{{ {'a': 1}.keys()|list }}|{{ {'a': 1}.values()|list }}|{{ ' x'.removeprefix(' ') }}|{{ 'think</think>answer'.split('</think>')[-1] }}""",
    "white_space": """  {% if true %}
    a
  {%- if true -%}
    b
  {%+ endif %}
c {# a comment #}
 {#- another -#}  d
  {% for x in [1, 2] +%}
  {{ x }}
  {% endfor %}
{{- ' e ' -}}
   f
{%- endif %}

""",
    "tool_call": """{% for m in messages %}{% if m.tool_calls is defined and m.tool_calls %}{% for t in m.tool_calls %}{% if t.function %}{% set t = t.function %}{% endif %}{"name": {{ t.name|tojson }}, "arguments": {{ t.arguments if t.arguments is string else t.arguments|tojson }}}{% endfor %}{% elif m.content is string %}{{ m.content }}{% elif m.content is iterable %}{% for c in m.content %}{{ c.text }}{% endfor %}{% endif %}{% endfor %}{{ tools is none }}{{ tools is defined }}""",
    "special_tokens": "{{ bos_token }}{{ eos_token }}{{ pad_token }}{{ unk_token is defined }}",
}

CONVERSATIONS = [
    [{"role": "user", "content": "  Hello, \nhow are you? "}, {"role": "assistant", "content": "Fine ünïcode 你好 😀."}, {"role": "user", "content": "Ok <s> </s>"}],
    [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hi!\t\"x\" \\ 'y'"}, {"role": "user", "content": "Bye\u00a0"}],
    [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}],
]
TOOLS = [
    {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
    {"role": "assistant", "content": None, "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": {"x": 1, "y": [None, "ü"]}}}, {"name": "g", "arguments": "{}"}]},
]


def ids_of_terse(folder, conversations):
    """The tokens of each conversation by itself, through the windows that eval would take: tokenize reads them as they are."""
    path = folder / "conversations.jsonl"
    path.write_text("".join(json.dumps({"messages": c}, ensure_ascii=False) + "\n" for c in conversations))
    return [json.loads(line) for line in terse("tokenize", folder, path, "--json").splitlines()]


@pytest.fixture
def folder(tmp_path):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((LM / name).read_bytes())
    return tmp_path


@pytest.mark.parametrize("name", TEMPLATES)
def test_ids(name, folder):
    (folder / "chat_template.jinja").write_text(TEMPLATES[name])
    tokenizer = AutoTokenizer.from_pretrained(folder)
    conversations = [TOOLS] if name == "tool_call" else CONVERSATIONS
    expected = [tokenizer.apply_chat_template(c, tokenize=True, return_dict=False) for c in conversations]
    assert ids_of_terse(folder, conversations) == expected

"""Asks the proxy with instructor: `check_instructor.py http://127.0.0.1:PORT API_KEY`."""

from __future__ import annotations

import sys
from typing import Literal

import instructor
from openai import OpenAI
from pydantic import BaseModel, Field


class Person(BaseModel):
    """Somebody."""

    name: str = Field(min_length=2)
    age: int = Field(ge=0, le=120)
    mood: Literal["calm", "glad"]
    friends: list[Person] = Field(max_length=2)


server, key = sys.argv[1:]
client = OpenAI(base_url=f"{server}/v1", api_key=key, max_retries=0)
asked = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Who is there?"}], "max_retries": 0}
modes = [instructor.Mode.TOOLS, instructor.Mode.JSON_SCHEMA, instructor.Mode.RESPONSES_TOOLS]
for mode in modes:
    person = instructor.from_openai(client, mode=mode).create(response_model=Person, **asked)
    assert isinstance(person, Person), person
for person in instructor.from_openai(client).create_iterable(response_model=Person, **asked):
    assert isinstance(person, Person), person
    break
for partial in instructor.from_openai(client).create_partial(response_model=Person, **asked):
    last = partial
assert last.name
assert last.age >= 0
print(f"instructor works in {len(modes)} modes, streamed too")

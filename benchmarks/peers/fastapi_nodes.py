"""W9's peer: nodes over REST with FastAPI and SQLAlchemy, as their own guides build such a thing.

Sign-in by token, a membership check, documents as JSONB, a version per node. It keeps no log, tells nobody and merges
nothing, all of which Easel's routes do. `DATABASE_URL` names the database; `python fastapi_nodes.py PORT NODES` makes
one workflow of so many nodes, prints `ready`, and serves.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

TOKEN, WORKFLOW = "token", "workflow"
engine = create_async_engine(
    os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://"), pool_size=10, max_overflow=10
)
sessions = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class Token(Base):
    __tablename__ = "peer_tokens"
    token: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str]


class Member(Base):
    __tablename__ = "peer_members"
    workflow: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str]


class Node(Base):
    __tablename__ = "peer_nodes"
    workflow: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    type: Mapped[str | None]
    position: Mapped[dict[str, Any]] = mapped_column(JSONB)
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    version: Mapped[int] = mapped_column(default=0)


class NodeOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: str
    type: str | None
    position: dict[str, float]
    data: dict[str, Any]
    version: int


class NodePatch(BaseModel):
    position: dict[str, float] | None = None
    data: dict[str, Any] | None = None


async def session() -> AsyncIterator[AsyncSession]:
    async with sessions() as opened:
        yield opened


Session = Annotated[AsyncSession, Depends(session)]


async def account(opened: Session, authorization: Annotated[str, Header()]) -> str:
    found = await opened.scalar(select(Token.account).where(Token.token == authorization.removeprefix("Bearer ")))
    if found is None:
        raise HTTPException(401, "Sign in first.")
    return found


Account = Annotated[str, Depends(account)]
app = FastAPI()


async def check_member(opened: AsyncSession, workflow: str, who: str) -> None:
    if await opened.get(Member, (workflow, who)) is None:
        raise HTTPException(404, "There is no such workflow.")


@app.get("/api/workflows/{workflow}/nodes")
async def list_nodes(workflow: str, opened: Session, who: Account, limit: int = 100) -> list[NodeOut]:
    await check_member(opened, workflow, who)
    found = await opened.scalars(select(Node).where(Node.workflow == workflow).order_by(Node.id).limit(limit))
    return [NodeOut.model_validate(node) for node in found]


@app.get("/api/workflows/{workflow}/nodes/{node_id}")
async def get_node(workflow: str, node_id: str, opened: Session, who: Account) -> NodeOut:
    await check_member(opened, workflow, who)
    node = await opened.get(Node, (workflow, node_id))
    if node is None:
        raise HTTPException(404, "There is no such node.")
    return NodeOut.model_validate(node)


@app.patch("/api/workflows/{workflow}/nodes/{node_id}")
async def change_node(workflow: str, node_id: str, patch: NodePatch, opened: Session, who: Account) -> NodeOut:
    await check_member(opened, workflow, who)
    node = await opened.get(Node, (workflow, node_id), with_for_update=True)
    if node is None:
        raise HTTPException(404, "There is no such node.")
    if patch.position is not None:
        node.position = dict(patch.position)
    if patch.data is not None:
        node.data = node.data | patch.data
    node.version += 1
    await opened.commit()
    return NodeOut.model_validate(node)


async def seed(count: int) -> None:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.drop_all)
        await connection.run_sync(Base.metadata.create_all)
    async with sessions() as opened:
        opened.add(Token(token=TOKEN, account="ada"))
        opened.add(Member(workflow=WORKFLOW, account="ada", role="owner"))
        for i in range(count):
            data = {"label": f"Node {i}"}
            opened.add(Node(workflow=WORKFLOW, id=f"n{i}", type="note", position={"x": i, "y": i}, data=data))
        await opened.commit()
    await engine.dispose()  # its connections belong to this loop


if __name__ == "__main__":
    asyncio.run(seed(int(sys.argv[2])))
    uvicorn.run(app, port=int(sys.argv[1]), loop="uvloop", http="httptools", access_log=False, log_level="warning")

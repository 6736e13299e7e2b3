"""`GET /sales?limit=100` as FastAPI's documentation would have it: a token checked by PyJWT, rows by an
asynchronous pool of psycopg, pages by key. The connection is libpq's environment, the token's key `KEY`."""

import os
from contextlib import asynccontextmanager

import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordBearer
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

KEY = os.environ["KEY"]
pool = AsyncConnectionPool("", open=False, min_size=8, max_size=8, kwargs={"row_factory": dict_row})
bearer = OAuth2PasswordBearer(tokenUrl="token")


@asynccontextmanager
async def lifespan(_app: FastAPI):
    await pool.open()
    yield
    await pool.close()


app = FastAPI(lifespan=lifespan)


def user(token: str = Depends(bearer)) -> str:
    try:
        return jwt.decode(token, KEY, algorithms=["HS256"])["sub"]
    except jwt.InvalidTokenError as error:
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"}) from error


@app.get("/sales")
async def sales(_user: str = Depends(user), limit: int = 100, after: int = -1):
    async with pool.connection() as connection:
        rows = await connection.execute(
            "SELECT id, customer_id, product, price, quantity FROM public.sales "
            "WHERE id > %s ORDER BY id LIMIT %s",
            (after, min(limit, 1000)),
        )
        return await rows.fetchall()
